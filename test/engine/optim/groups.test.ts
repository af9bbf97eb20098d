import { expect, test } from "bun:test";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { parameterGroups } from "../../../engine/optim/groups.ts";

const named = (name: string, kind: NamedTensor["kind"], role: NamedTensor["role"] = "parameter") =>
  ({ name, kind, role }) as NamedTensor;

const tensors = [
  named("stem.weight", "convolution"),
  named("stem.norm", "vector"),
  named("stem.mean", "vector", "statistic"),
  named("blocks.0.weight", "matrix"),
  named("blocks.0.bias", "vector"),
  named("blocks.1.weight", "matrix"),
  named("head.weight", "matrix"),
  named("head.bias", "vector"),
];

/** Rate and weight decay by name. */
function settings(options: Parameters<typeof parameterGroups>[1]): Record<string, [number, number]> {
  return Object.fromEntries(
    parameterGroups(tensors, options).flatMap(({ parameters, rate, decay }) =>
      parameters.map(({ name }) => [name, [rate, decay]]),
    ),
  );
}

test("vectors have no weight decay, fresh parts their own rate, statistics none", () => {
  const fresh = { rate: 0.5, names: new Set(["head.weight", "head.bias"]) };
  expect(settings({ rate: 0.1, decay: 0.01, fresh })).toEqual({
    "stem.weight": [0.1, 0.01],
    "stem.norm": [0.1, 0],
    "blocks.0.weight": [0.1, 0.01],
    "blocks.0.bias": [0.1, 0],
    "blocks.1.weight": [0.1, 0.01],
    "head.weight": [0.5, 0.01],
    "head.bias": [0.5, 0],
  });
  expect(parameterGroups(tensors, { rate: 0.1, decay: 0.01, fresh })).toHaveLength(4);
});

test("rates fall by the layer decay from the head to the stem", () => {
  const depth = (name: string) => ({ stem: 0, blocks: 1 + Number(name.split(".")[1]), head: 3 })[name.split(".")[0]!]!;
  // Scales of timm's param_groups_layer_decay(model, layer_decay=0.75): 0.75 ** (layer_max - i), layer_max = 3.
  expect(settings({ rate: 2, decay: 0.05, layers: { decay: 0.75, depth } })).toEqual({
    "stem.weight": [0.84375, 0.05],
    "stem.norm": [0.84375, 0],
    "blocks.0.weight": [1.125, 0.05],
    "blocks.0.bias": [1.125, 0],
    "blocks.1.weight": [1.5, 0.05],
    "head.weight": [2, 0.05],
    "head.bias": [2, 0],
  });
  const fresh = { rate: 8, names: new Set(["head.weight"]) };
  expect(settings({ rate: 2, fresh, layers: { decay: 0.5, depth } })).toMatchObject({
    "stem.weight": [0.25, 0],
    "head.weight": [8, 0],
    "head.bias": [2, 0],
  });
});

test("wrong settings are named with their value", () => {
  expect(() => settings({ rate: -1 })).toThrow("a rate is at least 0, found -1");
  expect(() => settings({ rate: 1, decay: Number.NaN })).toThrow("a weight decay is at least 0, found NaN");
  expect(() => settings({ rate: 1, layers: { decay: 1.5, depth: () => 0 } })).toThrow("at most 1, found 1.5");
  expect(() => settings({ rate: 1, layers: { decay: 0.5, depth: () => Number.NaN } })).toThrow(
    'the depth of "stem.weight" is a whole number of at least 0, found NaN',
  );
});

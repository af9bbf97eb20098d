import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { WeightAverage } from "../../../engine/optim/average.ts";
import { Optimiser, type OptimiserOptions, type ParameterGroup } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

/** Smaller than a vec4, a vec4, a workgroup and more; the last are larger than a binding of the plain device. */
const sizes = [1, 7, 4, 256, 257, 64, 5, 1030, 12, 300, 2048];
const devices = [
  ["all features", sharedDevice],
  ["plain kernels, bindings of 2 KiB", plainDevice],
] as const;

function parametersOn(device: Device): NamedTensor[] {
  return sizes.map((size, i) => {
    const tensor = Tensor.from(device, formula({ shape: [size], seed: i }), [size]).keep();
    return { name: `p${i}`, tensor, kind: "vector", role: "parameter" };
  });
}

/** Three groups, each with a rate and a decay of its own. */
function groupsOf(parameters: readonly NamedTensor[]): ParameterGroup[] {
  return [0, 1, 2].map((group) => ({
    parameters: parameters.filter((_, i) => i % 3 === group),
    rate: 0.01 * (group + 1),
    decay: 0.05 * group,
  }));
}

/** Parameters and state after three steps by optimisers that share them as `split` says, and dispatches of a step. */
async function trained(
  device: Device,
  options: OptimiserOptions,
  split: (groups: ParameterGroup[]) => ParameterGroup[][],
) {
  const parameters = parametersOn(device);
  const optimisers = split(groupsOf(parameters)).map((groups) => new Optimiser(groups, options));
  let dispatches = 0;
  for (let step = 0; step < 3; step++) {
    parameters.forEach(({ tensor }, i) => {
      // One of them has no gradient every other step; with a state of its own it would not count that step.
      if (i === 3 && step === 1 && !options.lossScale) return;
      tensor.gradient = Tensor.from(device, formula({ shape: [tensor.size], seed: 20 + i + step }), [
        tensor.size,
      ]).keep();
    });
    const before = device.stream.dispatches;
    for (const optimiser of optimisers) optimiser.step(1 / (1 + step));
    dispatches = device.stream.dispatches - before;
    for (const optimiser of optimisers) optimiser.clearGradients();
  }
  const state = optimisers.flatMap((optimiser) =>
    optimiser.tensors("o").filter(({ name }) => name !== "o.gradient_state"),
  );
  const values = new Map<string, Float32Array>();
  for (const { name, tensor } of [...parameters, ...state]) values.set(name, await tensor.read());
  for (const optimiser of optimisers) optimiser.dispose();
  for (const { tensor } of parameters) tensor.dispose();
  return { values: [...values].sort(([a], [b]) => (a < b ? -1 : 1)), dispatches };
}

const oneEach = (groups: ParameterGroup[]) =>
  groups.flatMap((group) => group.parameters.map((parameter) => [{ ...group, parameters: [parameter] }]));

describe("parameters that are updated together have the bits of those that are updated alone", () => {
  const rules: readonly [string, OptimiserOptions][] = [
    ["sgd", { kind: "sgd" }],
    ["nesterov", { kind: "sgd", nesterov: true }],
    ["adam", { kind: "adam" }],
    ["adamw with a scaled loss", { kind: "adamw", lossScale: {} }],
  ];
  for (const [where, open] of devices) {
    test.each(rules)(`%s, ${where}`, async (_, options) => {
      const device = await open();
      const alone = await trained(device, options, oneEach);
      const together = await trained(device, options, (groups) => [groups]);
      expect(together.values).toEqual(alone.values);
      const [before] = parametersOn(device);
      expect(alone.values.find(([name]) => name === "p0")![1]).not.toEqual(await before!.tensor.read());
      expect(together.dispatches).toBeLessThan(alone.dispatches);
    });

    test(`averages, ${where}`, async () => {
      const device = await open();
      const parameters = parametersOn(device);
      const sets = [[parameters], parameters.map((parameter) => [parameter])];
      const [together, alone] = sets.map((set) => set.map((part) => new WeightAverage(part, { decay: 0.9 })));
      parameters.forEach(({ tensor }, i) => {
        tensor.write(formula({ shape: [tensor.size], seed: 40 + i }));
      });
      for (const average of [...together!, ...alone!]) average.update();
      const read = (averages: WeightAverage[]) =>
        Promise.all(averages.flatMap((average) => average.tensors("a").map(({ tensor }) => tensor.read())));
      const found = await read(together!);
      expect(found).toEqual(await read(alone!));
      // decay of the first step: min(0.9, 1/10)
      const expected = Array.from(formula({ shape: [7], seed: 41 }), (value, i) => {
        const start = formula({ shape: [7], seed: 1 })[i]!;
        return start + 0.9 * (value - start);
      });
      for (const [i, value] of expected.entries()) expect(found[1]![i]).toBeCloseTo(value, 6);
      for (const average of [...together!, ...alone!]) average.dispose();
      for (const { tensor } of parameters) tensor.dispose();
    });
  }
});

test("a parameter that is given twice is refused", async () => {
  const device = await sharedDevice();
  const [p] = parametersOn(device);
  const other = { ...p!, name: "tied", tensor: p!.tensor.alias().keep() };
  const make = (parameters: NamedTensor[]) => new Optimiser([{ parameters, rate: 1, decay: 0 }], { kind: "adam" });
  expect(() => make([p!, other])).toThrow('"tied" and "p0"');
  expect(() => make([p!, p!])).toThrow(RangeError);
});

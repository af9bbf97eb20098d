import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { storable } from "../../../engine/nn/named.ts";
import { resizeBicubic } from "../../../engine/ops/pictures/bicubic.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { openModel, QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { modelOptions } from "../../../models/networks/options.ts";
import { sharedDevice } from "../../engine/device.ts";
import { noise } from "../noise.ts";

const device = await sharedDevice();
let folder = "";
const at = (name: string) => join(folder, name);

const vit = { backbone: "vit_tiny_patch16_224", featureDepths: [2, 3], pooling: "statistics" } as const;
const resnet = { backbone: "resnet18", featureDepths: [1, 3], pooling: "statistics" } as const;
const pair = {
  ...vit,
  ...{ network: "paired", sides: [48, 32], secondDepths: resnet.featureDepths, secondSides: [70, 35] },
  ...{ resize: 70, crop: 70, embedding: 0, head: "score" },
};
const options = (more: object = {}) => modelOptions({ ...pair, ...more });

function pictures(side: number): Tensor {
  return Tensor.from(
    device,
    Float32Array.from(noise("pictures", 2 * side * side * 3), (v) => (v + 1) / 2),
    [2, side, side, 3],
  );
}

function featureOf(model: QualityNetwork, side?: number): Promise<Float32Array> {
  return device.scope(() =>
    withoutGradients(() => {
      const whole = pictures(70);
      const seen = side ? resizeBicubic(whole, { height: side, width: side, antialias: true }) : whole;
      return { read: model.forward(seen, false).feature.read() };
    }),
  ).read;
}

async function store(name: string, model: QualityNetwork): Promise<string> {
  const tensors = (await storable(model.tensors())).filter((tensor) => !tensor.name.startsWith("head."));
  await writeSafetensors(at(name), tensors, {});
  return at(name);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-paired-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("its feature is those of its backbones alone, each at each of its sides, whichever weights file comes first", async () => {
  const first = new QualityNetwork(device, modelOptions({ ...vit, resize: 48, crop: 48, seed: 5 }));
  const second = new QualityNetwork(device, modelOptions({ ...resnet, resize: 70, crop: 70, seed: 6 }));
  const alone = [
    await featureOf(first, 48),
    await featureOf(first, 32),
    await featureOf(second),
    await featureOf(second, 35),
  ];
  const files = [await store("vit", first), await store("resnet", second)];
  first.dispose();
  second.dispose();
  for (const order of [files, [...files].reverse()]) {
    const model = new QualityNetwork(device, options({ frozen: 1 }), "zero");
    const report = await model.start(order);
    expect([...report.fresh]).toEqual([]);
    expect(model.featureLength).toBe(2 * 2 * 3 * 192 + 2 * 2 * (64 + 64));
    const found = await featureOf(model);
    const wanted = [0, 1].flatMap((row) =>
      alone.flatMap((feature) => [...feature.subarray((row * feature.length) / 2, ((row + 1) * feature.length) / 2)]),
    );
    expect([...found]).toEqual(wanted);
    model.dispose();
  }
});

test("what it makes of stored rows is what it makes of pictures, and it opens as it was saved", async () => {
  const model = new QualityNetwork(device, options({ frozen: 1 }));
  const feature = await featureOf(model);
  const rows = device.scope(() =>
    withoutGradients(() => {
      expect(model.prefixMap(pictures(70))).toBeUndefined();
      return { read: model.forwardRows(model.prefix(pictures(70)), undefined, false).feature.read() };
    }),
  );
  expect([...(await rows.read)]).toEqual([...feature]);
  expect([...model.frozenNames].filter((name) => name.startsWith("second.")).length).toBeGreaterThan(0);
  await saveModel(at("model"), model, { options: model.options, range: [0, 100], history: [], fresh: [] });
  model.dispose();
  const { model: opened, card } = await openModel(device, at("model"));
  expect(card.options).toMatchObject({ network: "paired", sides: [48, 32], secondSides: [70, 35] });
  expect([...(await featureOf(opened))]).toEqual([...feature]);
  opened.dispose();
});

test("a frozen backbone without weights, and what no pair can be, are refused by name", async () => {
  const alone = new QualityNetwork(device, modelOptions({ ...vit, resize: 48, crop: 48 }), "zero");
  const path = await store("alone", alone);
  alone.dispose();
  const model = new QualityNetwork(device, options({ frozen: 1 }), "zero");
  await expect(model.start(path)).rejects.toThrow(
    "no weights for the second encoder, which `frozen` would keep as it was drawn; give `init` twice, the first encoder first",
  );
  model.dispose();
  expect(() => options({ sides: [50] })).toThrow("`sides` 50: vit_tiny_patch16_224 takes whole patches of 16 pixels");
  expect(() => options({ sides: [] })).toThrow("`crop` 70: vit_tiny_patch16_224 takes whole patches of 16 pixels");
  expect(() => options({ secondDepths: [3, 1] })).toThrow("give each depth once, in ascending order");
  expect(() => modelOptions({ secondSides: [64] })).toThrow(
    "`secondSides` 64: the `network` standard has one backbone, which sees the crop; give `network` paired",
  );
  expect(() => modelOptions({ second: "vgg16" })).toThrow("`second` vgg16: the `network` standard has one backbone");
  expect(() => options({ backbone: "resnet18", stages: 2 })).toThrow(
    "`featureDepths` and `secondDepths` say what is used",
  );
  expect(() => new QualityNetwork(device, options({ secondDepths: [12] }), "zero")).toThrow(
    "`secondDepths` 12: the second backbone has the depths 1 to 9",
  );
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { storable } from "../../../engine/nn/named.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { openModel, QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { modelOptions } from "../../../models/networks/options.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { noise } from "../noise.ts";
import { blurredPictures } from "../training/pictures.ts";

const device = await sharedDevice();
let folder = "";
const at = (name: string) => join(folder, name);

const options = (more: object = {}) =>
  modelOptions({
    ...{ network: "branches", backbone: "resnet18", featureDepths: [1], second: "resnet34", secondDepths: [1, 2] },
    ...{ head: "ensemble", levels: 2, embedding: 0, resize: 48, crop: 48, ...more },
  });

const pictures = () =>
  Tensor.from(
    device,
    Float32Array.from(noise("pictures", 2 * 48 * 48 * 3), (v) => (v + 1) / 2),
    [2, 48, 48, 3],
  );

/** Feature and scores of two pictures. */
async function seen(model: QualityNetwork, stored = false) {
  const reads = device.scope(() =>
    withoutGradients(() => {
      const x = pictures();
      const { feature, logits } = stored
        ? model.forwardRows(model.prefix(x), model.prefixMap(x), false)
        : model.forward(x, false);
      return { feature: feature.read(), logits: logits.read() };
    }),
  );
  return { feature: await reads.feature, logits: await reads.logits };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-branches-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("each branch scores by a layer of its own on its backbone's feature; it opens as it was saved, and is scored as an ensemble", async () => {
  const alone = new QualityNetwork(
    device,
    modelOptions({ backbone: "resnet18", featureDepths: [1], resize: 48, crop: 48, seed: 9 }),
  );
  const weights = (await storable(alone.tensors())).filter(({ name }) => !name.startsWith("head."));
  await writeSafetensors(at("first"), weights, {});
  const wanted = await seen(alone);
  alone.dispose();
  const model = new QualityNetwork(device, options());
  await model.start(at("first"));
  const [first, second] = model.featureParts as [number, number];
  const { feature, logits } = await seen(model);
  expect([...feature.subarray(0, first)]).toEqual([...wanted.feature.subarray(0, first)]);
  const read = async (name: string) =>
    model
      .tensors()
      .find((each) => each.name === `head.logits.${name}`)!
      .tensor.read();
  for (const [i, name] of ["first", "second"].entries()) {
    const [weight, bias] = [await read(`${name}.weight`), await read(`${name}.bias`)];
    for (const row of [0, 1]) {
      const start = row * (first + second) + i * first;
      const own = feature.subarray(start, start + weight.length);
      const score = own.reduce((sum, value, j) => sum + value * weight[j]!, bias[0]!);
      expect(logits[row * 2 + i]).toBeCloseTo(score, 5);
    }
  }
  await saveModel(at("model"), model, { options: model.options, range: [0, 100], history: [], fresh: [] });
  model.dispose();
  const { model: opened } = await openModel(device, at("model"));
  expect((await seen(opened)).logits).toEqual(logits);
  opened.dispose();
  const [row] = await blurredPictures(at("pictures"), 2, 60);
  await using scorer = await openScorer({ model: at("model"), device });
  const { score, ensembleDeviation } = await scorer.score(row!.path);
  expect(Number.isFinite(score)).toBe(true);
  expect(ensembleDeviation).toBeGreaterThan(0);
});

test("stored rows give what pictures give", async () => {
  const model = new QualityNetwork(device, options({ frozen: 1 }));
  expect(await seen(model, true)).toEqual(await seen(model));
  model.dispose();
});

test("what no two branches can be is refused by name", () => {
  for (const [name, value] of Object.entries({ head: "score", embedding: 16, featureNorm: "batch" }))
    expect(() => options({ [name]: value, ...(name === "head" && { levels: undefined }) })).toThrow(
      `\`${name}\` ${value}: in the \`network\` branches each of two backbones has one score`,
    );
  expect(() => options({ levels: 3 })).toThrow("`levels` 3: in the `network` branches");
  expect(() => options({ stages: 2 })).toThrow("in the `network` branches `featureDepths` and `secondDepths` say");
});

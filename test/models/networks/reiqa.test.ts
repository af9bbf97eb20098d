import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withoutGradients } from "../../../engine/autograd.ts";
import { storable } from "../../../engine/nn/named.ts";
import { sizeOf, Tensor } from "../../../engine/tensor.ts";
import { writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { type ReIqaOptionsInput, reIqa } from "../../../models/methods/reiqa/index.ts";
import { openModel, QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { modelOptions } from "../../../models/networks/options.ts";
import { relativeError } from "../../engine/check.ts";
import { sharedDevice } from "../../engine/device.ts";
import golden from "../../golden/reiqa.json" with { type: "json" };
import { fill, noise } from "../noise.ts";

const device = await sharedDevice();
let folder = "";
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-reiqa-"));
});
afterAll(() => rm(folder, { recursive: true }));

const small: ReIqaOptionsInput = {
  network: "reiqa",
  backbone: "resnet18",
  stages: 1,
  embedding: 0,
  head: "score",
  crop: 32,
  resize: 32,
};
const options = (more: object = {}) => modelOptions({ ...small, ...more });

function pictures(height: number, width: number): Tensor {
  const values = Float32Array.from(noise("pictures", 2 * height * width * 3), (v) => (v + 1) / 2);
  return Tensor.from(device, values, [2, height, width, 3]);
}

function outputs(model: QualityNetwork, height = 32, width = 32) {
  return device.scope(() =>
    withoutGradients(() => {
      const { feature, logits } = model.forward(pictures(height, width), false);
      return { feature: feature.read(), logits: logits.read() };
    }),
  );
}

describe("features and score as by PyTorch in double precision", () => {
  test.each(
    golden.map((each) => [`${each.backbone}, ${each.encoders}, ${each.height} x ${each.width}`, each] as const),
  )("%s", async (_, { backbone, stages, encoders, height, width, length, features, scores }) => {
    const model = new QualityNetwork(device, options({ backbone, stages, encoders }), "zero");
    try {
      fill(model.tensors());
      expect(model.featureLength).toBe(length);
      const { feature, logits } = outputs(model, height, width);
      const found = (await feature).filter((_, i) => i % 7 === 0);
      expect(relativeError(found, features)).toBeLessThan(1e-5);
      expect(relativeError(await logits, scores)).toBeLessThan(1e-5);
    } finally {
      model.dispose();
    }
  });
});

test("what it makes of stored rows is what it makes of pictures, and it opens as it was saved", async () => {
  const trained = reIqa.options(small);
  const model = new QualityNetwork(device, trained);
  expect([...model.frozenNames].filter((name) => name.startsWith("quality.")).length).toBeGreaterThan(0);
  expect(model.tensors().map(({ name }) => model.depthOf(name))).toEqual(
    model.tensors().map(({ name }) => (name.startsWith("head.") ? 1 : 0)),
  );
  const { logits } = outputs(model);
  const stored = device.scope(() =>
    withoutGradients(() => {
      const x = pictures(32, 32);
      expect(model.prefixMap(x)).toBeUndefined();
      return { logits: model.forwardRows(model.prefix(x), undefined, false).logits.read() };
    }),
  );
  expect(await stored.logits).toEqual(await logits);
  await saveModel(at("saved"), model, { options: trained, range: [0, 100], history: [], fresh: [] });
  const opened = await openModel(device, at("saved"));
  expect(opened.model.options.encoders).toBe("both");
  expect(await outputs(opened.model).logits).toEqual(await logits);
  opened.model.dispose();
  model.dispose();
});

/** A file of random numbers with the names of an encoder behind a prefix, and what else such files hold. */
async function encoderFile(name: string, prefix: string, seed: number, others: Record<string, number[]> = {}) {
  const encoder = new QualityNetwork(device, modelOptions({ ...small, network: "standard", seed }));
  const tensors = await storable(encoder.tensors().filter(({ name: own }) => !own.startsWith("head.")));
  encoder.dispose();
  const further = Object.entries(others).map(([own, shape]) => ({
    ...{ name: own, dtype: "F32" as const, shape, data: Float32Array.from(noise(own, sizeOf(shape))) },
  }));
  await writeSafetensors(at(name), [...tensors.map((each) => ({ ...each, name: prefix + each.name })), ...further]);
  return { path: at(name), stem: tensors.find((each) => each.name === "conv1.weight")!.data };
}

/** The stem's weights of an encoder, as files have them. */
async function stemOf(model: QualityNetwork, role: string) {
  const [stem] = await storable(model.tensors().filter(({ name }) => name === `${role}.conv1.weight`));
  return stem!.data;
}

describe("start weights", () => {
  const head = { "module.head.0.weight": [64, 64], "module.head.2.weight": [128, 64] };
  const moco = {
    "module.encoder_q.fc.0.weight": [64, 64],
    "module.encoder_k.conv1.weight": [64, 3, 7, 7],
    "module.queue": [128, 16],
  };

  test.each([
    ["two files of Re-IQA's authors, content first", ["module.encoder.", head], ["module.encoder.", head], false],
    [
      "MoCo's file is the content encoder wherever it stands",
      ["module.encoder_q.", moco],
      ["module.encoder.", head],
      true,
    ],
    ["our own names say which is which", ["content.", {}], ["quality.", {}], true],
    ["torchvision's names", ["", { "fc.weight": [10, 64] }], ["quality.", {}], false],
  ] as const)("%s", async (_, [contentPrefix, contentOthers], [qualityPrefix, qualityOthers], turned) => {
    const content = await encoderFile("content", contentPrefix, 2, contentOthers as never);
    const quality = await encoderFile("quality", qualityPrefix, 3, qualityOthers as never);
    const model = new QualityNetwork(device, options({ frozen: 1 }));
    const paths = [content.path, quality.path];
    const report = await model.start(turned ? paths.toReversed() : paths);
    expect(report.fresh.size).toBe(0);
    expect(report.lines.slice(-2)).toEqual([
      `content encoder: the whole network starts from ${content.path}`,
      `quality encoder: the whole network starts from ${quality.path}`,
    ]);
    expect(await stemOf(model, "content")).toEqual(content.stem);
    expect(await stemOf(model, "quality")).toEqual(quality.stem);
    model.dispose();
  });

  test("one file may hold both encoders; one alone leaves the other as it was drawn, unless it is frozen", async () => {
    const content = await encoderFile("content", "module.encoder_q.", 2);
    const both = new QualityNetwork(device, options());
    await saveModel(at("both"), both, { options: options() as never, range: [0, 1], history: [], fresh: [] });
    const model = new QualityNetwork(device, options({ frozen: 1, seed: 9 }));
    await model.start(at("both"));
    expect(await stemOf(model, "quality")).toEqual(await stemOf(both, "quality"));
    await expect(model.start(content.path)).rejects.toThrow(
      "no weights for the quality encoder, which `frozen` would keep as it was drawn; give `init` twice",
    );
    const learning = new QualityNetwork(device, options({ seed: 9 }));
    const report = await learning.start(content.path);
    expect([...report.fresh].every((name) => name.startsWith("quality."))).toBe(true);
    expect(report.lines.at(-1)).toBe("quality encoder: starts fresh");
    for (const each of [both, model, learning]) each.dispose();
  });

  test("files that do not do are refused", async () => {
    const plain = await encoderFile("plain", "", 2);
    const other = await encoderFile("other", "encoder.", 3);
    const third = await encoderFile("third", "backbone.", 3);
    const model = new QualityNetwork(device, options());
    await expect(model.start([plain.path, other.path, plain.path])).rejects.toThrow(
      "every encoder starts from another file",
    );
    await expect(model.start(third.path)).rejects.toThrow('it has no "conv1.weight"');
    const named = await encoderFile("named", "quality.", 3);
    await expect(model.start([named.path, named.path])).rejects.toThrow(
      "both hold the quality encoder; give one of them",
    );
    model.dispose();
    const standard = new QualityNetwork(device, options({ network: "standard" }));
    await expect(standard.start([plain.path, other.path])).rejects.toThrow("the backbone starts from one file");
    standard.dispose();
    const wide = new QualityNetwork(device, options({ backbone: "resnet50" }));
    expect((await wide.start(plain.path)).lines).toContain(
      "content encoder: stage 1 start fresh: the file lacks some of their weights",
    );
    wide.dispose();
    const frozen = new QualityNetwork(device, options({ backbone: "resnet50", encoders: "content", frozen: 1 }));
    await expect(frozen.start(plain.path)).rejects.toThrow(
      "stage 1 start fresh: the file lacks some of their weights; `frozen` would keep",
    );
    frozen.dispose();
  });
});

test("options that do not go together are refused by name", () => {
  expect(() => modelOptions({ encoders: "quality" })).toThrow("`encoders` quality: the `network` standard has none");
  expect(() => options({ backbone: "vit_tiny_patch16_224", stages: 4 })).toThrow(
    "`backbone` vit_tiny_patch16_224: the `network` reiqa",
  );
  expect(() => new QualityNetwork(device, options({ featureDepths: [2] }))).toThrow(
    "`featureDepths` 2: the network reiqa",
  );
  expect(() => new QualityNetwork(device, options({ frozen: 2 }))).toThrow("`frozen` 2: only 1 sections");
});

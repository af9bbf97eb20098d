import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runArguments } from "../../../engine/device/check.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { NumericError } from "../../../engine/number-error.ts";
import { digestKey, withDigest } from "../../../engine/weights/digest.ts";
import { openSafetensors, toFloat32, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { resumeCpl, trainCpl } from "../../../models/methods/cpl/index.ts";
import type { CplOptionsInput } from "../../../models/methods/cpl/options.ts";
import { type RatedRow, type TrainingData, TrainingError } from "../../../models/training/training.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "./pictures.ts";

const options: CplOptionsInput = {
  ...small,
  stageOneEpochs: 2,
  stageTwoEpochs: 1,
};
const checking = () => openDevice({ checkNumbers: true });
const main = new URL("../../../cli/main.ts", import.meta.url).pathname;

const hasHalf = (await sharedDevice()).features.has("shader-f16");
let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;
const run = (name: string) => join(folder, name);
const model = (name: string) => join(run(name), "model.safetensors");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-numbers-"));
  rows = await blurredPictures(join(folder, "pictures"), 30);
  data = divided(rows);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of a model whose tensors of these names have other elements, with the digest that belongs to them. */
async function poisoned(path: string, names: readonly string[], change: (elements: Float32Array) => void) {
  await using file = await openSafetensors(path);
  const tensors = await Promise.all(
    [...file.tensors.keys()].map(async (key) => {
      const stored = await file.read(key);
      const elements = Float32Array.from(toFloat32(stored));
      if (names.includes(key)) change(elements);
      return { name: key, dtype: stored.dtype, shape: stored.shape, data: elements };
    }),
  );
  const target = join(folder, `poisoned-${names[0]}.safetensors`);
  const texts = Object.fromEntries([...file.metadata].filter(([key]) => key !== digestKey));
  await writeSafetensors(target, tensors, withDigest(tensors, texts));
  return target;
}

describe("checked numbers", () => {
  async function expectNothing(name: string, input: CplOptionsInput): Promise<void> {
    const plain = await trainCpl(await sharedDevice(), data, input, { folder: run(name) });
    plain.model.dispose();
    const checked = await trainCpl(checking, data, input, { folder: run(`${name}-checked`) });
    checked.model.device.close();
    expect(checked.progress.losses).toEqual(plain.progress.losses);
    expect(await readFile(model(`${name}-checked`))).toEqual(await readFile(model(name)));
  }

  test.each([
    ["plain", options],
    ["clipped", { ...options, clipNorm: 1, ema: 0.9 }],
  ] as const)("find nothing in a sound training (%s) and change no bit of it", expectNothing);

  test.skipIf(!hasHalf)("find nothing in a sound training in f16 and change no bit of it", () =>
    expectNothing("f16", { ...options, precision: "f16" }),
  );

  test("name operation and layer of a training whose rate is too high, resumed as its error advises", async () => {
    const high: CplOptionsInput = { ...options, optimiser: "sgd", freshRate: 1e25, stageOneEpochs: 20 };
    const training = trainCpl(await sharedDevice(), data, high, { folder: run("high") });
    const error = await training.then(String, (reason) => reason);
    expect(error).toBeInstanceOf(TrainingError);
    expect(error.message).toContain("the loss is");
    expect(error.advice).toContain(`--resume ${run("high")} --check-numbers`);
    const again = await resumeCpl(checking, { folder: run("high") }).then(String, (reason) => reason);
    expect(again).toBeInstanceOf(NumericError);
    expect((again as NumericError).fault.layer).toMatch(/^(after )?(layer1|head|conv1|bn1)/);
  });

  test("are not needed to refuse an infinite weight in a file that training starts from", async () => {
    const from = await poisoned(model("plain"), ["layer1.0.conv1.weight"], (elements) => {
      elements[1] = Number.POSITIVE_INFINITY;
    });
    const one = { ...options, stageOneEpochs: 1, stageTwoEpochs: 0 };
    const training = trainCpl(checking, data, one, { folder: run("poisoned") }, { from });
    expect(training).rejects.toThrow(
      /conv1\.weight\.safetensors: tensor "layer1\.0\.conv1\.weight" has 1 of \d+ values that are not finite, the first, Infinity, at \[0, 0, 0, 1\]/,
    );
  });

  test("are a flag of the commands train, score and evaluate, which end with code 1 and the place", async () => {
    // Finite all of them, their products are not.
    const path = await poisoned(model("plain"), ["head.logits.weight", "head.embedding.bias"], (elements) => {
      elements.fill(3e38);
    });
    const words = ["score", rows[0]!.path, "--model", path];
    const found = spawnSync(process.execPath, [...runArguments(), main, ...words, "--check-numbers"], {
      encoding: "utf8",
    });
    expect(found.stderr).toMatch(/error: .*linear.*head\.logits.* infinit/);
    expect(found.status).toBe(1);
    const environment = { ...process.env, ACUTANCE_CHECK_NUMBERS: "1" };
    const asked = spawnSync(process.execPath, [...runArguments(), main, ...words], {
      encoding: "utf8",
      env: environment,
    });
    expect(asked.stderr).toContain("head.logits");
    expect(asked.status).toBe(1);
    const csv = join(folder, "scores.csv");
    await writeFile(csv, ["name,mos", ...rows.slice(0, 4).map(({ path: name, mos }) => `${name},${mos}`)].join("\n"));
    const evaluation = ["evaluate", "--model", path, "--data", dirname(rows[0]!.path), "--csv", csv, "--check-numbers"];
    const evaluated = spawnSync(process.execPath, [...runArguments(), main, ...evaluation], { encoding: "utf8" });
    expect(evaluated.stderr).toMatch(/error: .*head\.logits.* infinit/);
    expect(evaluated.status).toBe(1);
    const resumed = ["train", "cpl", "--resume", run("high"), "--check-numbers"];
    const trained = spawnSync(process.execPath, [...runArguments(), main, ...resumed], { encoding: "utf8" });
    expect(trained.stderr).toMatch(/error: .* (NaN|infinit)/);
    expect(trained.stderr).toContain("its inputs:");
    expect(trained.status).toBe(1);
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rampAt, relationConsistency, scoreConsistency } from "../../../../models/methods/ssliqa-like/consistency.ts";
import { apart, type SsliqaLikeOptionsInput, ssliqaLike } from "../../../../models/methods/ssliqa-like/index.ts";
import { openScorer } from "../../../../models/scoring/scorer.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { checkDifferences, goldenCases, relativeError, runWithGradients } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const device = await sharedDevice();
const options = {
  ...{ stages: 1, embedding: 16, resize: 36, crop: 32, labelledBatch: 4, unlabelledBatch: 4, teacher: 0.5 },
  ...{ epochs: 20, rate: 1e-3, freshRate: 3e-3 },
} satisfies SsliqaLikeOptionsInput;

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-ssliqa-"));
  data = divided(await blurredPictures(at("pictures"), 40));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = async (name: string, more: SsliqaLikeOptionsInput = {}, hooks: object = {}, given = data) => {
  const all = { ...options, ...more };
  const result = await startTraining(ssliqaLike, device, given, all, { folder: at(name), ...hooks });
  result.model.dispose();
  return result;
};

describe("consistency of two branches", () => {
  for (const each of goldenCases("relations")) {
    test(`${each.operation} [${each.inputs[0]!.shape}] is PyTorch's in float64, with its gradient`, async () => {
      const of = each.operation === "scores" ? scoreConsistency : relationConsistency;
      const run = ([s, t]: Parameters<typeof of>) => of(s, t);
      const found = await runWithGradients(device, each.inputs, run as never);
      const tolerance = each.inputs[0]!.shape[0] === 1 && each.operation === "relations" ? 1e-6 : 1e-5;
      expect(Math.abs(found.output[0]! - each.output[0]!)).toBeLessThan(tolerance * Math.max(1, each.output[0]!));
      const expected = each.gradients[0]!;
      const largest = Math.max(...expected.map(Math.abs));
      if (largest > 1e-6) expect(relativeError(found.gradients[0]!, expected)).toBeLessThan(1e-5);
      else expect(Math.max(...found.gradients[0]!.map(Math.abs))).toBeLessThan(1e-6);
      await checkDifferences(device, each.inputs, run as never, { step: 1e-2 });
    });
  }

  test("branches that are equal have no loss and no gradient; the weight rises to 1", async () => {
    const x = { shape: [4, 6], seed: 3, shift: 0.2 };
    const { output, gradients } = await runWithGradients(device, [x, { ...x, gradient: false }], ([s, t]) =>
      relationConsistency(s!, t!),
    );
    expect(output[0]).toBe(0);
    expect([...gradients[0]!].map(Math.abs)).toEqual(Array(24).fill(0));
    const ramp = [0, 15, 30, 100].map((step) => rampAt(0.3, { step, steps: 100 }));
    expect(ramp).toEqual([Math.exp(-5), Math.exp(-1.25), 1, 1].map((value) => expect.closeTo(value, 12)));
    expect(rampAt(0, { step: 0, steps: 9 })).toBe(1);
  });
});

describe.each([0.5, 0])("SSLIQA-like, with a second branch that keeps %d of its weights", (teacher) => {
  const name = (run: string) => `${run}-${teacher}`;

  test("learns, and is scored as it was tested", async () => {
    const { progress } = await train(name("whole"), { teacher });
    const { losses, results, predictions } = progress;
    const mean = (part: typeof losses) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)));
    expect(losses.every(({ figures }) => figures![apart]! > 0)).toBe(true);
    const { srcc, rmse } = results.at(-1)!.evaluation;
    expect(srcc).toBeGreaterThan(0.8);
    // The constant predictor has 29.
    expect(rmse).toBeLessThan(25);
    await using scorer = await openScorer({ model: join(at(name("whole")), "model.safetensors"), device });
    for (const { path, score } of predictions) expect((await scorer.score(path)).score).toBeCloseTo(score, 3);
  });

  test.each([1, 3])("goes on after a stop at step %d, to the same bits", async (stopAfter) => {
    const short = { epochs: 1, teacher };
    if (stopAfter === 1) await train(name("short"), short);
    const stopped = name(`stopped-${stopAfter}`);
    await expect(train(stopped, short, stoppedAfter(stopAfter))).rejects.toThrow(TrainingInterrupted);
    (await resumeTraining(ssliqaLike, device, { folder: at(stopped) })).model.dispose();
    const [one, two] = await Promise.all(
      [name("short"), stopped].map((run) => readFile(join(at(run), "model.safetensors"))),
    );
    expect(two).toEqual(one!);
  });
});

test("two backbones learn labels, agree on unlabelled pictures, and go on to the same bits after a stop", async () => {
  const { embedding: _, stages: __, teacher: ___, ...shared } = options;
  const two: SsliqaLikeOptionsInput = {
    ...{ ...shared, network: "branches", featureDepths: [1] },
    ...{ second: "mobilenet_v2", secondDepths: [1], epochs: 12 },
  };
  expect(ssliqaLike.options(two)).toMatchObject({ head: "ensemble", levels: 2, embedding: 0, teacher: 0, loss: "l1" });
  const trained = async (name: string, more: SsliqaLikeOptionsInput = {}, hooks: object = {}) => {
    const result = await startTraining(ssliqaLike, device, data, { ...two, ...more }, { folder: at(name), ...hooks });
    result.model.dispose();
    return result.progress;
  };
  const { losses, results } = await trained("two");
  const mean = (part: typeof losses) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
  expect(mean(losses.slice(-4))).toBeLessThan(mean(losses.slice(0, 4)));
  expect(losses.every(({ figures }) => figures![apart]! > 0)).toBe(true);
  expect(results.at(-1)!.evaluation.srcc).toBeGreaterThan(0.8);
  await trained("short", { epochs: 1 });
  await expect(trained("stopped", { epochs: 1 }, stoppedAfter(1))).rejects.toThrow(TrainingInterrupted);
  (await resumeTraining(ssliqaLike, device, { folder: at("stopped") })).model.dispose();
  const model = (run: string) => readFile(join(at(run), "model.safetensors"));
  expect(await model("stopped")).toEqual(await model("short"));
  expect(() => ssliqaLike.options({ ...two, teacher: 0.9 })).toThrow(
    "`teacher` 0.9: the `network` branches has a second",
  );
});

test("SSLIQA-like refuses what it cannot learn from", async () => {
  for (const head of ["distribution", "classes", "ensemble"] as const)
    expect(() => ssliqaLike.options({ head })).toThrow(`\`head\` ${head}: SSLIQA-like learns scores by two branches`);
  const few = train("few", { unlabelledBatch: 17 });
  await expect(few).rejects.toThrow("16 unlabelled pictures are fewer than one batch, `unlabelledBatch` 17");
  await expect(train("cut", { microBatch: 4 })).rejects.toThrow("draws conclusions from all 12 views");
  const one = train("one", {}, {}, { ...data, labelled: data.labelled.slice(0, 1) });
  await expect(one).rejects.toThrow("at least 2 labelled pictures, found 1");
});

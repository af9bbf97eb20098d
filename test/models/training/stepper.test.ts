import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor } from "../../../engine/tensor.ts";
import { openSafetensors } from "../../../engine/weights/safetensors.ts";
import { resumeCpl, trainCpl } from "../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { labelTask } from "../../../models/methods/parts/label-loss.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import type { LoadedBatch } from "../../../models/training/batches.ts";
import type { Phase } from "../../../models/training/method.ts";
import { phaseSchedule } from "../../../models/training/phase-schedule.ts";
import { Stepper } from "../../../models/training/stepper.ts";
import { type TrainingData, TrainingInterrupted } from "../../../models/training/training.ts";
import { PictureInputs } from "../../../models/views/inputs.ts";
import { formula, relativeError } from "../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small as smallest } from "./pictures.ts";

const small: CplOptionsInput = {
  ...smallest,
  stageOneEpochs: 3,
  stageTwoEpochs: 2,
};

describe("schedule of a stage", () => {
  const factors = (input: CplOptionsInput, steps: number[]) =>
    steps.map(phaseSchedule(cplOptions(input), { name: "stage 1", epochs: 4 }, 5));

  test("is kept, a cosine, or falls every few epochs, after a warm-up in steps or as a share", () => {
    expect(factors({}, [0, 7, 19])).toEqual([1, 1, 1]);
    expect(factors({ schedule: "cosine" }, [0, 10])).toEqual([1, 0.5 * (1 + Math.cos(Math.PI / 2))]);
    const usb = factors({ schedule: "quarter-cosine", warmupShare: 0.2 }, [4, 12, 19, 20]);
    const expected = [0, 8, 15, 16].map((t) => Math.cos((7 * Math.PI * t) / (16 * 16)));
    usb.forEach((factor, i) => {
      expect(factor).toBeCloseTo(expected[i]!, 12);
    });
    expect(factors({ schedule: "quarter-cosine", lastFactor: 0.25 }, [20])).toEqual([0.25]);
    const step = { schedule: "step", stepEpochs: 2, stepFactor: 0.5 } as const;
    expect(factors(step, [0, 9, 10, 19])).toEqual([1, 1, 0.5, 0.5]);
    expect(factors({ schedule: "time", timeDecay: 0.5 }, [0, 2, 18])).toEqual([1, 0.5, 0.1]);
    expect(factors({ ...step, warmupSteps: 3 }, [0, 1, 2, 3, 12, 13])).toEqual([0.25, 0.5, 0.75, 1, 1, 0.5]);
    expect(factors({ schedule: "cosine", warmupShare: 0.2 }, [0, 3, 4, 12])).toEqual([
      0.2,
      expect.closeTo(0.8, 12),
      1,
      expect.closeTo(0.5, 12),
    ]);
  });

  test("a warm-up that is too long, or given twice, is refused", () => {
    expect(() => factors({ warmupSteps: 20 }, [0])).toThrow("`warmupSteps` 20: stage 1 has only 20 steps");
    expect(() => cplOptions({ warmupSteps: 2, warmupShare: 0.1 })).toThrow("give one");
    for (const wrong of [{ layerDecay: 0 }, { ema: 1 }, { clipNorm: -1 }, { microBatch: 1.5 }, { stepFactor: 0 }])
      expect(() => cplOptions(wrong)).toThrow(Object.keys(wrong)[0]!);
  });
});

/**
 * Parameters of a model with frozen norms before and after some steps on one batch of ranked pairs and 6 pictures, 4 of them
 * labelled.
 */
async function steps(
  input: CplOptionsInput,
  count: number,
  pairs = 0,
  phase: Pick<Phase, "settings" | "headAlone"> = {},
  frozenNorms = true,
) {
  const device = await sharedDevice();
  const options = cplOptions({ ...small, optimiser: "sgd", freshRate: 0.01, rate: 0.01, ...input });
  const model = new QualityNetwork(device, options);
  if (frozenNorms) model.freezeNorms(model.backbone.norms().map(([name]) => name));
  const task = labelTask(options, () => ({ targets, weights, margins, labelled: 4 }));
  const stepper = new Stepper(model, new PictureInputs(model, 2), { options, fresh: [] }, { ...phase, task });
  const pictures: LoadedBatch["pictures"] = Array.from({ length: 6 + 2 * pairs }, (_, i) => {
    const shape = [1, 36, 36, 3];
    const tensor = Tensor.from(device, formula({ shape, seed: i + 1, scale: 0.5, shift: 0.5 }), shape).keep();
    const window = { top: i % 4, left: i % 3, flip: i % 2 === 0 };
    const part = i < 2 * pairs ? "ranked" : i - 2 * pairs < 4 ? "labelled" : "unlabelled";
    return { planned: { path: `${i}`, name: `${i}`, index: i, part, window }, tensor };
  });
  const targets = formula({ shape: [6, 20], seed: 9, scale: 0.02, shift: 0.05 });
  const weights = Float32Array.from([1, 1, 1, 1, 0.4, 0.7]);
  const margins = Float32Array.from({ length: pairs }, (_, i) => 0.1 * (i + 1));
  const tensors = model.tensors();
  const read = async () =>
    new Map(await Promise.all(tensors.map(async ({ name, tensor }) => [name, await tensor.read()] as const)));
  const before = await read();
  const losses: number[] = [];
  for (let step = 0; step < count; step++) {
    const report = await stepper.step(pictures, 1);
    losses.push(report.loss);
  }
  const after = await read();
  for (const { tensor } of pictures) tensor.dispose();
  stepper.dispose();
  model.dispose();
  return { before, after, losses };
}

describe("a phase of its own", () => {
  test("in which the head learns alone leaves the backbone its bits, statistics included", async () => {
    const { before, after } = await steps({}, 4, 0, { headAlone: true }, false);
    for (const [name, values] of before) {
      if (name.startsWith("head.")) expect(after.get(name)).not.toEqual(values);
      else expect(after.get(name)).toEqual(values);
    }
    const learnt = await steps({}, 4, 0, {}, false);
    expect(learnt.after.get("bn1.running_mean")).not.toEqual(learnt.before.get("bn1.running_mean")!);
  });

  test("has settings of its own in place of the options", async () => {
    const settings = { optimiser: "adam", rate: 1e-3, freshRate: 2e-3, decay: 0.01 } as const;
    const own = await steps({ ...settings }, 3);
    expect(await steps({}, 3, 0, { settings })).toEqual(own);
    expect(await steps({}, 3)).not.toEqual(own);
    const options = cplOptions({ schedule: "constant" });
    const phase = { name: "one", epochs: 2, settings: { schedule: "step", stepFactor: 0.5 } } as const;
    expect([0, 5].map(phaseSchedule(options, phase, 5))).toEqual([1, 0.5]);
  });
});

test.each(["batch", "parts"] as const)("micro-batches train like the whole batch, loss by %s", async (lossDivision) => {
  const whole = await steps({ lossDivision }, 3);
  const cut = await steps({ lossDivision, microBatch: 2 }, 3);
  expect(relativeError(cut.losses, whole.losses)).toBeLessThan(1e-6);
  for (const [name, values] of whole.after) expect(relativeError(cut.after.get(name)!, values)).toBeLessThan(5e-6);
  expect(whole.losses.at(-1)!).toBeLessThan(whole.losses[0]!);
  expect(await steps({ lossDivision, microBatch: 6 }, 3)).toEqual(whole);
});

test.each([2, 3, 4, 5, 8])("micro-batches of %d train like the whole batch with ranked pairs", async (microBatch) => {
  const whole = await steps({ rankWeight: 3 }, 3, 3);
  const cut = await steps({ rankWeight: 3, microBatch }, 3, 3);
  expect(relativeError(cut.losses, whole.losses)).toBeLessThan(1e-6);
  for (const [name, values] of whole.after) expect(relativeError(cut.after.get(name)!, values)).toBeLessThan(5e-6);
  const without = await steps({ rankWeight: 0 }, 1, 3);
  expect(without.losses[0]!).toBeLessThan(whole.losses[0]!);
});

const transformer: CplOptionsInput = { backbone: "vit_tiny_patch16_224", stages: 4, featureDepths: [4] };

test("micro-batches leave out the branches and entries that the whole batch does", async () => {
  const options = { ...transformer, stochasticDepth: 0.95, dropout: 0.5 };
  const whole = await steps(options, 3);
  const cut = await steps({ ...options, microBatch: 2 }, 3);
  expect(relativeError(cut.losses, whole.losses)).toBeLessThan(1e-5);
  for (const [name, values] of whole.after) expect(relativeError(cut.after.get(name)!, values)).toBeLessThan(1e-4);
  const without = await steps({ ...options, stochasticDepth: 0 }, 3);
  expect(relativeError(without.losses, whole.losses)).toBeGreaterThan(1e-4);
});

test("each step leaves out other branches, also where it replays a plan", async () => {
  const still = { ...transformer, rate: 1e-30, freshRate: 1e-30, decay: 0 };
  const { losses } = await steps({ ...still, stochasticDepth: 0.95 }, 6);
  expect(new Set(losses).size).toBe(6);
  expect(new Set((await steps(still, 6)).losses).size).toBe(1);
});

test("who cannot leave branches out is told", () => {
  expect(() => cplOptions({ stochasticDepth: 0.2 })).toThrow("only vision transformers leave branches out, resnet18");
  expect(() => cplOptions({ ...transformer, stochasticDepth: 1 })).toThrow("`stochasticDepth` 1");
});

const half = (await sharedDevice()).features.has("shader-f16");

test.skipIf(!half)("with maps of f16 the steps are those of f32 up to rounding", async () => {
  const wide = await steps({ stages: 2 }, 3, 2);
  const narrow = await steps({ stages: 2, precision: "f16" }, 3, 2);
  expect(relativeError(narrow.losses, wide.losses)).toBeLessThan(2e-3);
  for (const [name, values] of wide.after) expect(relativeError(narrow.after.get(name)!, values)).toBeLessThan(5e-3);
  const [moved] = narrow.after;
  expect(moved![1]).not.toEqual(narrow.before.get(moved![0])!);
});

test("maps of f16 are refused where the adapter has none", async () => {
  const device = await plainDevice();
  const options = cplOptions({ ...small, precision: "f16" });
  const model = new QualityNetwork(device, options);
  expect(() => new Stepper(model, new PictureInputs(model, 2), { options, fresh: [] })).toThrow("`precision` f16");
  model.dispose();
});

test("layer-wise rates move each block by its share", async () => {
  const equal = await steps({ stages: 2, decay: 0 }, 1);
  const layered = await steps({ stages: 2, decay: 0, layerDecay: 0.5 }, 1);
  const move = ({ before, after }: typeof equal, name: string) =>
    after.get(name)!.map((value, i) => value - before.get(name)![i]!);
  // Stem, four blocks of two stages, head.
  const depths = { conv1: 0, "layer1.0.conv1": 1, "layer1.1.conv2": 2, "layer2.0.conv2": 3, "layer2.1.conv1": 4 };
  for (const [layer, depth] of Object.entries({ ...depths, "head.embedding": 5, "head.logits": 5 })) {
    const name = `${layer}.weight`;
    const expected = move(equal, name).map((value) => value * 0.5 ** (5 - depth));
    // A move is the difference of two f32 numbers that are far larger.
    expect(relativeError(move(layered, name), expected)).toBeLessThan(2e-2);
  }
});

describe("a training with every part on", () => {
  const every: CplOptionsInput = {
    ...small,
    schedule: "cosine",
    warmupSteps: 2,
    layerDecay: 0.8,
    clipNorm: 0.5,
    ema: 0.9,
    microBatch: 5,
  };
  let folder = "";
  let data: TrainingData;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-stepper-"));
    const rows = await blurredPictures(join(folder, "pictures"), 30);
    data = divided(rows);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("records norms, and saves averaged weights that stage 2 goes on from", async () => {
    const device = await sharedDevice();
    const whole = await trainCpl(device, data, every, { folder: join(folder, "whole") });
    whole.model.dispose();
    expect(whole.progress.losses.every(({ gradientNorm }) => gradientNorm! > 0)).toBe(true);
    const model = await tensorsOf(folder, "whole", "model.safetensors");
    const checkpoint = await tensorsOf(folder, "whole", "checkpoint.safetensors");
    for (const [name, hash] of Object.entries(model)) expect(checkpoint[name]).toBe(hash);
    expect(checkpoint["average.conv1.weight"]).toBe(model["conv1.weight"]!);
    expect(checkpoint).toHaveProperty(["optimiser.gradient_state"]);
    // The average trails the parameters: without it the same steps end elsewhere.
    const raw = await trainCpl(device, data, { ...every, ema: 0, stageTwoEpochs: 0 }, { folder: join(folder, "raw") });
    raw.model.dispose();
    const stageOne = await tensorsOf(folder, "whole", "stage1.safetensors");
    const rawStageOne = await tensorsOf(folder, "raw", "stage1.safetensors");
    expect(raw.progress.losses).toEqual(whole.progress.losses.filter(({ stage }) => stage === 1));
    expect(rawStageOne["conv1.weight"]).not.toBe(stageOne["conv1.weight"]!);
    expect(rawStageOne["bn1.running_mean"]).toBe(stageOne["bn1.running_mean"]!);
    // Stage 2 from the stored model ends with the bits of the run that went through.
    const from = { from: join(folder, "whole", "stage1.safetensors") };
    const two = await trainCpl(device, data, { ...every, stageOneEpochs: 0 }, { folder: join(folder, "two") }, from);
    two.model.dispose();
    expect(await tensorsOf(folder, "two", "model.safetensors")).toEqual(model);
  });

  test.each([3, 7])("continues bit for bit after an interruption at step %d", async (stopAfter) => {
    const device = await sharedDevice();
    const target = `stopped-${stopAfter}`;
    const stop = new AbortController();
    let seen = 0;
    const progress = () => ({
      advance: (_amount?: number, note?: string) => {
        if (note?.startsWith("loss") && ++seen === stopAfter) stop.abort();
      },
      stop: () => {},
    });
    const training = trainCpl(device, data, every, { folder: join(folder, target), signal: stop.signal, progress });
    await expect(training).rejects.toThrow(TrainingInterrupted);
    const stopped = await tensorsOf(folder, target, "checkpoint.safetensors");
    // The checkpoint holds both the parameters and their average.
    expect(stopped["average.conv1.weight"]).not.toBe(stopped["conv1.weight"]!);
    (await resumeCpl(device, { folder: join(folder, target) })).model.dispose();
    const [found, expected] = await Promise.all(
      [target, "whole"].map((name) => tensorsOf(folder, name, "checkpoint.safetensors")),
    );
    expect(found).toEqual(expected!);
  });
});

async function tensorsOf(folder: string, run: string, name: string): Promise<Record<string, string>> {
  await using file = await openSafetensors(join(folder, run, name));
  const entries = [...file.tensors.keys()].map(async (tensor) => {
    const { bytes } = await file.read(tensor);
    return [tensor, createHash("sha256").update(bytes).digest("hex")];
  });
  return Object.fromEntries(await Promise.all(entries));
}

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "../../../../engine/device/device.ts";
import { OutOfMemoryError } from "../../../../engine/device/errors.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { openSafetensors, toFloat32 } from "../../../../engine/weights/safetensors.ts";
import { adaMatch } from "../../../../models/methods/adamatch/index.ts";
import { coMatch } from "../../../../models/methods/comatch/index.ts";
import { crMatch } from "../../../../models/methods/crmatch/index.ts";
import { deFixMatch } from "../../../../models/methods/defixmatch/index.ts";
import { fixMatch } from "../../../../models/methods/fixmatch/index.ts";
import { flexMatch } from "../../../../models/methods/flexmatch/index.ts";
import { freeMatch } from "../../../../models/methods/freematch/index.ts";
import { agreed, taken } from "../../../../models/methods/parts/consistency.ts";
import { rankUp } from "../../../../models/methods/rankup/index.ts";
import { simMatch } from "../../../../models/methods/simmatch/index.ts";
import { softMatch } from "../../../../models/methods/softmatch/index.ts";
import { QualityNetwork } from "../../../../models/networks/model.ts";
import { loadBatches, planEpoch } from "../../../../models/training/batches.ts";
import type { Method, PhaseContext } from "../../../../models/training/method.ts";
import { Stepper, type StepReport } from "../../../../models/training/stepper.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { checkpointFile, type TrainingData, TrainingInterrupted } from "../../../../models/training/training.ts";
import { PictureInputs } from "../../../../models/views/inputs.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";
import { stoppedAfter } from "../../training/stopped-after.ts";

const { stageOneBatch: _s, neighbours: _n, levels: _v, ...network } = small;
const common = { ...network, epochs: 1, labelledBatch: 4, unlabelledBatch: 3, rate: 1e-3 };
/**
 * Methods with settings under which the state of the first steps tells on what the later ones do, and the names of the state and of what
 * learns beside the network.
 */
const methods: { method: Method; options: object; state: string[]; title?: string; epochs?: number }[] = [
  {
    method: adaMatch as never,
    options: { momentum: 0.5 },
    state: ["alignment.kept", "alignment.labelled", "alignment.unlabelled"],
  },
  {
    method: freeMatch as never,
    options: { momentum: 0.5, fairnessWeight: 0.5 },
    state: ["freematch.classes", "freematch.guesses", "freematch.threshold"],
  },
  {
    method: softMatch as never,
    options: { momentum: 0.5, alignWindow: 3 },
    state: ["alignment.unlabelled", "softmatch.mean", "softmatch.variance"],
  },
  { method: flexMatch as never, options: { threshold: 0.23 }, state: ["flexmatch.guesses"] },
  { method: deFixMatch as never, options: { threshold: 0.3 }, state: [] },
  {
    method: crMatch as never,
    options: { threshold: 0.23, rotationBatch: 2 },
    state: ["distance.0", "turn.0", "turn.1"].flatMap((layer) => [`crmatch.${layer}.bias`, `crmatch.${layer}.weight`]),
  },
  {
    method: rankUp as never,
    options: { head: "distribution", levels: 5, threshold: 0.55, rdaRamp: 0 },
    state: ["rankup.scores"],
  },
  {
    method: coMatch as never,
    options: { threshold: 0.3, bankBatches: 2, projection: 6, ema: 0 },
    state: ["alignment.unlabelled", "bank.rows", "projection"],
  },
  {
    method: coMatch as never,
    title: "CoMatch with a teacher",
    options: { threshold: 0.21, bankBatches: 2, projection: 6, ema: 0, teacher: 0.5, graphBatches: 2, leak: 0.1 },
    state: ["alignment.unlabelled", "bank.rows", "graph.rows", "projection", "teacher"],
  },
  {
    method: simMatch as never,
    epochs: 2,
    options: { threshold: 0.3, projection: 6, ema: 0, teacher: 0.5 },
    state: ["alignment.unlabelled", "bank.rows", "projection", "teacher"],
  },
];
const cases = methods.map((each) => [each.title ?? each.method.title, each] as const);

let folder = "";
let data: TrainingData;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-unlabelled-"));
  data = divided(await blurredPictures(at("pictures"), 30));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(
  { method, options, epochs = 1 }: (typeof methods)[0],
  name: string,
  more: object = {},
  stopAfter = 0,
  device?: Device,
) {
  const hooks = { folder: at(name), ...stoppedAfter(stopAfter) };
  const given = { ...common, epochs, ...options, ...more };
  const result = await startTraining(method, device ?? (await sharedDevice()), data, given as never, hooks);
  result.model.dispose();
  return result;
}

/** The state in the checkpoint of a run, by name. */
async function stateIn(name: string): Promise<[string, number[]][]> {
  await using file = await openSafetensors(join(at(name), checkpointFile));
  const names = [...file.tensors.keys()]
    .filter((each) =>
      /^(alignment|bank|crmatch|graph|flexmatch|freematch|projection|rankup|softmatch|teacher)\./.test(each),
    )
    .sort();
  return Promise.all(names.map(async (each) => [each, [...toFloat32(await file.read(each))]] as [string, number[]]));
}

describe.each(cases)("%s", (title, each) => {
  test("goes on after a stop within an epoch with the same state, to the same bits", async () => {
    const { progress } = await train(each, `${title}-whole`);
    expect(progress.losses.length).toBe(4 * (each.epochs ?? 1));
    expect(progress.losses.every(({ loss, figures }) => Number.isFinite(loss) && taken in figures!)).toBe(true);
    expect(Math.max(...progress.losses.map(({ figures }) => figures![taken]!))).toBeGreaterThan(0);
    await expect(train(each, `${title}-three`, {}, 3)).rejects.toThrow(TrainingInterrupted);
    await expect(train(each, `${title}-one`, {}, 1)).rejects.toThrow(TrainingInterrupted);
    const begun = await stateIn(`${title}-one`);
    const names = begun.map(([name]) => name.replace(/^(projection|teacher)\..*/, "$1"));
    expect([...new Set(names)]).toEqual(each.state);
    const resumed = resumeTraining(each.method, await sharedDevice(), {
      folder: at(`${title}-one`),
      ...stoppedAfter(2),
    });
    await expect(resumed).rejects.toThrow(TrainingInterrupted);
    const later = await stateIn(`${title}-one`);
    expect(later).toEqual(await stateIn(`${title}-three`));
    if (each.state.length > 0) expect(later).not.toEqual(begun);
    (await resumeTraining(each.method, await sharedDevice(), { folder: at(`${title}-one`) })).model.dispose();
    const model = (name: string) => readFile(join(at(name), "model.safetensors"));
    expect(await model(`${title}-one`)).toEqual(await model(`${title}-whole`));
  });

  test("a replayed step does what a recorded one does", async () => {
    const device = await sharedDevice();
    const given = each.method.options({ ...common, ...each.options } as never);
    const [phase] = each.method.phases(given);
    const labels = Float32Array.from({ length: 5 * data.labelled.length }, (_, i) => (i % 6 === 0 ? 1 : 0));
    const batches = [0, 1].flatMap((epoch) => planEpoch({ ...phase!, stage: 1 }, epoch, data, given as never));
    const run = async (isReplayed: boolean) => {
      const model = new QualityNetwork(device, given);
      const inputs = new PictureInputs(model, 16, undefined, { strong: { set: "quality", kept: 0 } });
      const task = phase!.begin({ model, inputs, labels, data } as unknown as PhaseContext);
      const stepper = new Stepper(model, inputs, { options: given, fresh: [] }, { task, views: phase!.views });
      const found: { report: StepReport; state: number[][] }[] = [];
      let replays = 0;
      for await (const { pictures } of loadBatches(batches, inputs, phase!.views)) {
        if (!isReplayed) stepper.plan?.dispose();
        else if (stepper.plan && !stepper.plan.disposed) replays++;
        const report = await stepper.step(pictures, 1);
        const tensors = [...(task.modules?.() ?? []), ...(task.tensors?.() ?? [])];
        found.push({ report, state: await Promise.all(tensors.map(async ({ tensor }) => [...(await tensor.read())])) });
      }
      stepper.dispose();
      task.dispose?.();
      inputs.dispose();
      model.dispose();
      return { found, replays };
    };
    const replayed = await run(true);
    const recorded = await run(false);
    expect([replayed.replays, recorded.replays]).toEqual([6, 0]);
    expect(replayed.found).toEqual(recorded.found);
    const { figures } = replayed.found.at(-1)!.report;
    expect(Object.values(figures!).every(Number.isFinite)).toBe(true);
    expect(figures).toContainKeys([taken, agreed]);
  });
});

test("methods that need a whole batch refuse to have it cut", async () => {
  for (const [title, each] of cases.slice(0, 4)) {
    await expect(train(each, `${title}-cut`, { microBatch: 9 })).rejects.toThrow(
      `\`microBatch\` 9: ${title} draws conclusions from all 10 views of a batch at once; leave it out, or make the batches smaller`,
    );
  }
});

test("a batch that does not fit is to be smaller, not cut; a training leaves nothing on the device", async () => {
  using device = await openDevice({ memoryLimitBytes: 16 * 2 ** 20 });
  for (const [title, each] of cases) {
    const failed = await train(each, `${title}-large`, { labelledBatch: 64, unlabelledBatch: 8 }, 0, device).catch(
      (error) => error,
    );
    expect(failed).toBeInstanceOf(OutOfMemoryError);
    const { advice } = failed as OutOfMemoryError;
    expect(advice).toMatch(/^the largest batch that fits is \d+: `labelledBatch` \d+ `unlabelledBatch` \d+/);
    expect(/`microBatch`/.test(advice!)).toBe(["DeFixMatch", "CR-Match"].includes(title));
    await train(each, `${title}-fits`, {}, 0, device);
    const left = device.memoryReport().owners.filter(({ owner, bytes }) => bytes > 0 && !/free|read-back/.test(owner));
    expect(left.map(({ owner }) => owner)).toEqual(["resampling"]);
  }
});

test("a head without probabilities and too few unlabelled pictures are refused by name", async () => {
  for (const [title, each] of cases) {
    if (title !== "RankUp")
      await expect(train(each, `${title}-score`, { head: "score" })).rejects.toThrow(
        `\`head\` score: ${each.method.title} needs probabilities`,
      );
    await expect(train(each, `${title}-few`, { unlabelledBatch: 13 })).rejects.toThrow("are fewer than one batch");
  }
  expect(() => rankUp.options({ head: "classes" })).toThrow(
    "`head` classes: RankUp learns scores, and classes have no",
  );
  expect(() => freeMatch.options({ leastThreshold: 0.9, mostThreshold: 0.5 })).toThrow(
    "`leastThreshold` 0.9 is above `mostThreshold` 0.5",
  );
});

test.each([0, 5])(
  "what unlabelled pictures add rises with --unlabelled-ramp, in parts of %d rows",
  async (microBatch) => {
    const device = await sharedDevice();
    const still = { optimiser: "sgd", rate: 1e-30, freshRate: 1e-30, decay: 0, threshold: 0 } as const;
    const lossesAt = async (steps: readonly number[], more: object) => {
      const given = fixMatch.options({ ...common, ...still, microBatch, ...more });
      const [phase] = fixMatch.phases(given);
      const labels = Float32Array.from({ length: 5 * data.labelled.length }, (_, i) => (i % 6 === 0 ? 1 : 0));
      const [batch] = planEpoch({ ...phase!, stage: 1 }, 0, data, given);
      const model = new QualityNetwork(device, given);
      model.freezeNorms(model.backbone.norms().map(([name]) => name));
      const inputs = new PictureInputs(model, 16, undefined, { strong: { set: "quality", kept: 0 } });
      const task = phase!.begin({ model, labels, data } as unknown as PhaseContext);
      const stepper = new Stepper(model, inputs, { options: given, fresh: [] }, { task, views: phase!.views });
      const found: number[] = [];
      for await (const { pictures } of loadBatches(
        steps.map(() => batch!),
        inputs,
        phase!.views,
      )) {
        const step = steps[found.length]!;
        found.push((await stepper.step(pictures, 1, { step, steps: 40, epoch: 0 })).loss);
      }
      stepper.dispose();
      task.dispose?.();
      inputs.dispose();
      model.dispose();
      return found;
    };
    const [given] = await lossesAt([0], { unlabelledWeight: 0 });
    const [whole] = await lossesAt([0], {});
    expect(whole! - given!).toBeGreaterThan(0.1);
    const steps = [0, 1, 5, 10, 19, 20, 39];
    const share = (t: number) => (t <= 20 ? 0.5 - 0.5 * Math.cos((2 * Math.PI * t) / 40) : 1);
    const found = await lossesAt(steps, { unlabelledRamp: 0.5 });
    found.forEach((loss, i) => {
      expect(loss).toBeCloseTo(given! + share(steps[i]!) * (whole! - given!), 4);
    });
    expect(() => fixMatch.options({ unlabelledRamp: 1.1 })).toThrow("`unlabelledRamp` 1.1");
  },
);

test("vision transformers leave out branches as in USB, unless told otherwise; others have none", () => {
  const rateOf = (input: object) => (adaMatch.options(input as never) as { stochasticDepth: number }).stochasticDepth;
  expect(rateOf({})).toBe(0);
  expect(rateOf({ backbone: "vit_small_patch16_224" })).toBe(0.2);
  expect(rateOf({ backbone: "vit_small_patch16_224", stochasticDepth: 0 })).toBe(0);
  expect(() => rateOf({ stochasticDepth: 0.2 })).toThrow("`stochasticDepth` 0.2");
});

test("labelled pictures that are shown twice learn in the mean over their views", async () => {
  const still = { optimiser: "sgd", rate: 1e-30, freshRate: 1e-30, unlabelledWeight: 0 };
  const [weak, both] = [
    await train(methods[0]!, "weak", still),
    await train(methods[0]!, "both", { ...still, labelledViews: "both" }),
  ];
  const losses = ({ progress }: typeof weak) => progress.losses.map(({ loss }) => loss);
  // Other draws and another view, of a network that knows nothing: about ln 5 each.
  for (const [i, loss] of losses(both).entries()) {
    expect(loss).not.toBe(losses(weak)[i]!);
    expect(Math.abs(loss - losses(weak)[i]!)).toBeLessThan(0.5);
  }
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "../../../../engine/device/device.ts";
import { DeviceLostError } from "../../../../engine/device/errors.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { resumeCpl, trainCpl } from "../../../../models/methods/cpl/index.ts";
import type { CplOptionsInput } from "../../../../models/methods/cpl/options.ts";
import { openScorer, type ScoredPicture } from "../../../../models/scoring/scorer.ts";
import type { RatedRow, TrainingData, TrainingHooks } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided, small } from "../../training/pictures.ts";

const options: CplOptionsInput = {
  ...small,
  stageOneEpochs: 2,
  stageTwoEpochs: 2,
  stageOneBatch: 4,
};

let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;
const run = (name: string) => join(folder, name);
const model = () => join(run("whole"), "model.safetensors");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-loss-"));
  rows = await blurredPictures(join(folder, "pictures"), 30);
  data = divided(rows);
  const whole = await trainCpl(await sharedDevice(), data, options, { folder: run("whole") });
  whole.model.dispose();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Opens real devices and can lose the last one. */
function devices() {
  const opened: Device[] = [];
  return {
    opened,
    open: async () => {
      const device = await openDevice();
      opened.push(device);
      return device;
    },
    lose: () => opened.at(-1)!.gpu.destroy(),
  };
}

/** Calls `at` with the name of a phase of training and the number of times it has advanced. */
function progressHook(at: (label: string, count: number) => void): NonNullable<TrainingHooks["progress"]> {
  return (label) => {
    let count = 0;
    return { advance: () => at(label, ++count), stop: () => {} };
  };
}

const bytesOf = (name: string) => readFile(join(run(name), "model.safetensors"));

describe("training", () => {
  test.each([
    ["from the checkpoints of epochs", 300],
    ["from a checkpoint after every step", 0],
  ])("goes on after losses in both stages, %s, and ends with the same bits", async (name, checkpointSeconds) => {
    const source = devices();
    const pending = [
      ["stage 1, epoch 2 of 2", 3],
      ["stage 1: test", 2],
      ["stage 2, epoch 1: features", 1],
      ["stage 2, epoch 2 of 2", 2],
      ["stage 2: test", 1],
    ] as [string, number][];
    const places = pending.length;
    const lines: string[] = [];
    const progress = progressHook((label, count) => {
      const [where, after] = pending[0] ?? [];
      if (label !== where || count < after!) return;
      pending.shift();
      source.lose();
    });
    const log = (line: string) => lines.push(line);
    const result = await trainCpl(source.open, data, options, { folder: run(name), progress, log, checkpointSeconds });
    expect(pending).toEqual([]);
    expect(source.opened).toHaveLength(1 + places);
    const notes = lines.filter((line) => line.startsWith("the GPU device was lost"));
    expect(notes).toHaveLength(places);
    expect(notes[0]).toContain("in stage 1, epoch 2");
    expect(notes[0]).toContain("from the checkpoint");
    expect(result.progress.losses).toHaveLength(2 * 3 + 2 * 2);
    expect(result.progress.results).toHaveLength(2);
    expect(result.model.device).toBe(source.opened.at(-1)!);
    result.model.device.close();
    expect(await bytesOf(name)).toEqual(await bytesOf("whole"));
  });

  test("starts again when the device is lost before the first checkpoint", async () => {
    const source = devices();
    const lines: string[] = [];
    const open = async () => {
      const device = await source.open();
      if (source.opened.length === 1) device.gpu.destroy();
      return device;
    };
    const hooks = { folder: run("early"), log: (line: string) => lines.push(line) };
    const result = await trainCpl(open, data, { ...options, stageOneEpochs: 1, stageTwoEpochs: 0 }, hooks);
    expect(lines.join("\n")).toContain("lost before training began");
    expect(source.opened).toHaveLength(2);
    expect(result.progress.losses).toHaveLength(3);
    result.model.device.close();
  });

  test("gives up when three devices are lost at one step, and can be resumed", async () => {
    const source = devices();
    const progress = progressHook((label, count) => {
      if (label === "stage 1, epoch 2 of 2" && count === 3) source.lose();
    });
    const training = trainCpl(source.open, data, options, { folder: run("stuck"), progress });
    const error = await training.then(String, (reason) => reason);
    expect(error).toBeInstanceOf(DeviceLostError);
    expect(error.message).toContain("in stage 1, epoch 2, step 3; 3 were lost there");
    expect(error.advice).toContain(`--resume ${run("stuck")}`);
    expect(source.opened).toHaveLength(3);
    const resumed = await resumeCpl(await sharedDevice(), { folder: run("stuck") });
    resumed.model.dispose();
    expect(await bytesOf("stuck")).toEqual(await bytesOf("whole"));
  });

  test("a host's own device is not replaced: the error says how to go on", async () => {
    const device = await openDevice();
    const progress = progressHook((label, count) => {
      if (label === "stage 2, epoch 1 of 2" && count === 2) device.gpu.destroy();
    });
    const training = trainCpl(device, data, options, { folder: run("host"), progress });
    const error = await training.then(String, (reason) => reason);
    expect(error).toBeInstanceOf(DeviceLostError);
    expect(error.advice).toContain(`--resume ${run("host")}`);
    // What a killed process would leave is cleared away; what is not its own stays.
    const stray = ".model.safetensors.01234567-0123-0123-0123-0123456789ab.tmp";
    await writeFile(join(run("host"), stray), "half");
    await writeFile(join(run("host"), ".notes.tmp"), "the user's");
    const resumed = await resumeCpl(await sharedDevice(), { folder: run("host") });
    resumed.model.dispose();
    expect(await bytesOf("host")).toEqual(await bytesOf("whole"));
    const left = (await readdir(run("host"))).filter((name) => name.endsWith(".tmp"));
    expect(left).toEqual([".notes.tmp"]);
  });
});

describe("a scorer", () => {
  /** More pictures than are in flight at a time, with one that cannot be read. */
  const paths = () => {
    const all = rows.map(({ path }) => path);
    return [...all.slice(0, 20), join(folder, "absent.png"), ...all, ...all.slice(0, 10), ...all, ...all, ...all];
  };

  async function collect(walk: AsyncIterable<ScoredPicture>, each: (count: number) => void = () => {}) {
    const scored: ScoredPicture[] = [];
    for await (const picture of walk) each(scored.push({ ...picture, milliseconds: 0 }));
    return scored;
  }

  test("repeats the batch in hand on a new device: every picture once, with the same scores", async () => {
    await using undisturbed = await openScorer({ device: await sharedDevice(), model: model() });
    const expected = await collect(undisturbed.scoreMany(paths()));
    expect(expected).toHaveLength(151);
    expect(expected.map(({ picture }) => picture)).toEqual(paths());
    expect(expected.flatMap((picture, i) => ("error" in picture ? [i] : []))).toEqual([20]);
    const source = devices();
    await using scorer = await openScorer({ device: source.open, model: model() });
    let losses = 0;
    const found = await collect(scorer.scoreMany(paths()), (count) => {
      // With two batches in flight, and again when no picture that was begun on the first device is left.
      if ((losses === 0 && count === 5) || (losses === 1 && count === 120)) {
        losses++;
        source.lose();
      }
    });
    expect(found).toEqual(expected);
    // Where the last pictures were through before the second loss, nothing has waited for the third device.
    await scorer.recover();
    expect(source.opened).toHaveLength(3);
    expect(scorer.device).toBe(source.opened[2]!);
  });

  test("replaces the device once for two walks", async () => {
    const source = devices();
    await using scorer = await openScorer({ device: source.open, model: model() });
    source.lose();
    const walks = [scorer.scoreMany(paths()), scorer.scoreMany(paths().toReversed())].map((walk) => collect(walk));
    const [forth, back] = await Promise.all(walks);
    expect(source.opened).toHaveLength(2);
    expect(back!.toReversed().map((picture) => "score" in picture && picture.score)).toEqual(
      forth!.map((picture) => "score" in picture && picture.score),
    );
  });

  test("gives up at the second loss without a score between", async () => {
    const source = devices();
    const open = async () => {
      const device = await source.open();
      if (source.opened.length > 1) device.gpu.destroy();
      return device;
    };
    await using scorer = await openScorer({ device: open, model: model() });
    const scored: ScoredPicture[] = [];
    const walk = async () => {
      for await (const picture of scorer.scoreMany(paths())) if (scored.push(picture) === 5) source.lose();
    };
    await expect(walk()).rejects.toThrow(DeviceLostError);
    expect(source.opened).toHaveLength(2);
    // The batch that was read back before the loss is handed out, nothing after it.
    expect(scored.map(({ picture }) => picture)).toEqual(paths().slice(0, scored.length));
  });

  test("ends with the loss on a device of the host's own", async () => {
    const device = await openDevice();
    await using scorer = await openScorer({ device, model: model() });
    device.gpu.destroy();
    await expect(collect(scorer.scoreMany(paths()))).rejects.toThrow(DeviceLostError);
  });
});

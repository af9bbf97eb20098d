import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { decode, upload } from "../../../models/data/index.ts";
import { resumeCpl, trainCpl } from "../../../models/methods/cpl/index.ts";
import { type CplOptionsInput, cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { type RatedRow, type TrainingData, TrainingInterrupted } from "../../../models/training/training.ts";
import { CropInputs } from "../../../models/views/crop-inputs.ts";
import type { InputItem, Wanted } from "../../../models/views/inputs.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures, divided, small } from "../training/pictures.ts";

const options: CplOptionsInput = {
  ...small,
  // Smaller than the crop: it plays no part.
  resize: 20,
  cropFrom: "original",
  trainCrops: 2,
  testCrops: 4,
  stageOneEpochs: 2,
  stageTwoEpochs: 2,
};

let folder = "";
let rows: RatedRow[] = [];
let data: TrainingData;
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-crops-"));
  rows = await blurredPictures(inFolder("pictures"), 30, 50);
  data = divided(rows);
  const pixels = Uint8Array.from(
    { length: 90 * 60 * 3 },
    (_, i) => [Math.floor(i / 3) % 90, Math.floor(i / 270), 7][i % 3]!,
  );
  await sharp(pixels, { raw: { width: 90, height: 60, channels: 3 } })
    .png()
    .toFile(inFolder("places.png"));
  await sharp(pixels, { raw: { width: 90, height: 60, channels: 3 } })
    .resize(20, 40, { fit: "fill" })
    .png()
    .toFile(inFolder("small.png"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("crops at original size", () => {
  /** What the network is given for pictures, as bytes. */
  async function given(wanted: readonly Wanted[]): Promise<Uint8Array[]> {
    const device = await sharedDevice();
    const model = new QualityNetwork(device, cplOptions(options));
    const inputs = new CropInputs(model, 4);
    const loaded: InputItem[] = [];
    for await (const found of inputs.load(wanted)) {
      if ("error" in found) throw found.error;
      loaded.push({ tensor: found.tensor, window: found.row.window });
    }
    const { read } = device.scope(() => ({ read: inputs.assemble(loaded).read() }));
    const all = await read;
    inputs.dispose();
    model.dispose();
    const size = 32 * 32 * 3;
    return wanted.map((_, i) =>
      Uint8Array.from(all.slice(i * size, (i + 1) * size), (value) => Math.round(255 * value)),
    );
  }

  /** X and Y of the picture at a place of a crop. */
  const at = (crop: Uint8Array, x: number, y: number) => [...crop.subarray((y * 32 + x) * 3, (y * 32 + x) * 3 + 2)];

  test("are cut where the shares say, from the picture as it is, and mirrored", async () => {
    const window = (top: number, left: number, flip = false) => ({
      path: inFolder("places.png"),
      window: { top, left, flip },
    });
    const crops = await given([window(0, 0), window(1, 1), window(0.5, 0.25, true), window(0.999, 0)]);
    expect(crops.map((crop) => [at(crop, 0, 0), at(crop, 31, 31)])).toEqual([
      [
        [0, 0],
        [31, 31],
      ],
      [
        [58, 28],
        [89, 59],
      ],
      // 0.5 of 29 places, 0.25 of 59.
      [
        [14 + 31, 14],
        [14, 14 + 31],
      ],
      [
        [0, 28],
        [31, 59],
      ],
    ]);
  });

  test("without a window are the centre; small pictures are enlarged", async () => {
    const [centre, small] = await given([{ path: inFolder("places.png") }, { path: inFolder("small.png") }]);
    expect(at(centre!, 0, 0)).toEqual([29, 14]);
    const device = await sharedDevice();
    using enlarged = upload(device, await decode(inFolder("small.png")), 32);
    expect(small).toEqual(Uint8Array.from(await enlarged.read(), (value) => Math.round(255 * value)));
  });

  test("that are in use stay while others are loaded, and no more are kept; errors come in their place", async () => {
    const device = await sharedDevice();
    const model = new QualityNetwork(device, cplOptions(options));
    const before = device.memoryUse.usedBuffers;
    const inputs = new CropInputs(model, 3);
    const wanted = Array.from({ length: 12 }, (_, i) => ({
      path: i === 5 ? inFolder("absent.png") : inFolder("places.png"),
      window: { top: i / 12, left: 0 },
    }));
    const found: (number | string)[] = [];
    for await (const loaded of inputs.load(wanted)) {
      if ("error" in loaded) found.push((loaded.error as Error).name);
      else found.push(Math.round(255 * (await loaded.tensor.read())[1]!));
      expect(device.memoryUse.usedBuffers - before).toBeLessThanOrEqual(3);
    }
    expect(found).toEqual([0, 2, 4, 7, 9, "PictureError", 14, 16, 19, 21, 24, 26]);
    inputs.dispose();
    expect(device.memoryUse.usedBuffers).toBe(before);
    model.dispose();
  });
});

describe("training with crops at original size", () => {
  const model = (name: string) => readFile(join(inFolder(name), "model.safetensors"));

  test("an interrupted run continues bit for bit; the scorer gives the scores of the test part", async () => {
    const device = await sharedDevice();
    const whole = await trainCpl(device, data, options, { folder: inFolder("whole") });
    whole.model.dispose();
    const { losses, predictions } = whole.progress;
    // 12 labelled and 12 unlabelled pictures, each twice.
    expect(losses.map(({ stage }) => stage)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    const stop = new AbortController();
    let seen = 0;
    const progress = () => ({
      advance: (_?: number, note?: string) => {
        if (note?.startsWith("loss") && ++seen === 8) stop.abort();
      },
      stop: () => {},
    });
    const hooks = { folder: inFolder("stopped"), signal: stop.signal, progress };
    await expect(trainCpl(device, data, options, hooks)).rejects.toThrow(TrainingInterrupted);
    (await resumeCpl(device, { folder: inFolder("stopped") })).model.dispose();
    expect(await model("stopped")).toEqual(await model("whole"));
    await using scorer = await openScorer({ device, model: join(inFolder("whole"), "model.safetensors"), batch: 3 });
    for (const { path, score } of predictions) expect((await scorer.score(path)).score).toBe(score);
  });

  test.each([
    ["one crop", { testCrops: 1 }],
    ["tiles", { testCrops: 1, testTiles: 9 }],
    ["crops of resized pictures", { cropFrom: "resized", resize: 36, testCrops: 1 }],
  ] as const)("tests by %s as the scorer does", async (name, more) => {
    const device = await sharedDevice();
    const short = { ...options, ...more, stageOneEpochs: 1, stageTwoEpochs: 0 };
    const result = await trainCpl(device, data, short, { folder: inFolder(name) });
    result.model.dispose();
    await using scorer = await openScorer({ device, model: join(inFolder(name), "stage1.safetensors") });
    expect(result.progress.predictions).toHaveLength(6);
    for (const { path, stageOne } of result.progress.predictions)
      expect((await scorer.score(path)).score).toBe(stageOne!);
  });

  test("a picture that breaks is left out", async () => {
    const device = await sharedDevice();
    await writeFile(inFolder("broken.png"), "no picture");
    const broken = { name: "broken.png", path: inFolder("broken.png"), mos: 50 };
    const lines: string[] = [];
    const parts = { ...data, labelled: [broken, ...data.labelled], test: [broken, ...data.test] };
    const hooks = { folder: inFolder("left-out"), log: (line: string) => lines.push(line) };
    const result = await trainCpl(device, parts, { ...options, stageOneEpochs: 1, stageTwoEpochs: 0 }, hooks);
    result.model.dispose();
    expect(lines.filter((line) => line.startsWith("left out: broken.png"))).toHaveLength(1);
    expect(result.progress.predictions).toHaveLength(6);
  });
});

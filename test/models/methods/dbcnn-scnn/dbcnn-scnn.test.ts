import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackRgb } from "../../../../engine/ops/pictures/image.ts";
import { Random } from "../../../../engine/random.ts";
import { distortionNames } from "../../../../models/data/degraded/distortions.ts";
import { decode, distort } from "../../../../models/data/index.ts";
import { dbCnn } from "../../../../models/methods/dbcnn/index.ts";
import { type DbCnnScnnOptionsInput, dbCnnScnn } from "../../../../models/methods/dbcnn-scnn/index.ts";
import { QualityNetwork } from "../../../../models/networks/model.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { TrainingInterrupted } from "../../../../models/training/training.ts";
import { DegradedInputs } from "../../../../models/views/degraded-inputs.ts";
import { classOf, planDegradations } from "../../../../models/views/degraded-plan.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided } from "../../training/pictures.ts";
import { unlabelledTraining } from "../unlabelled-training.ts";

const device = await sharedDevice();
const small: DbCnnScnnOptionsInput = {
  ...{ crop: 32, region: 40, batch: 4, degraded: 2, kinds: ["white-noise", "mean-shift"] },
};

const { at, data, train } = await unlabelledTraining(dbCnnScnn, small, 8, 44);

test("learns to tell kinds and levels, and leaves an S-CNN that DB-CNN starts from", async () => {
  const { progress, files } = await train("plain", { epochs: 25 });
  expect(files).toEqual(["encoder.safetensors"]);
  // 8 pictures in batches of 4.
  expect(progress.losses.length).toBe(50);
  const mean = (from: number, until: number, of: (each: (typeof progress.losses)[number]) => number) =>
    progress.losses.slice(from, until).reduce((sum, each) => sum + of(each), 0) / (until - from);
  // Ten classes.
  expect(mean(0, 2, ({ loss }) => loss)).toBeCloseTo(Math.log(10), 0);
  expect(mean(40, 50, ({ loss }) => loss)).toBeLessThan(mean(0, 10, ({ loss }) => loss) - 0.3);
  expect(mean(40, 50, ({ figures }) => figures!["kind told"]!)).toBeGreaterThan(0.75);
  for (const { figures } of progress.losses)
    expect(figures!["kind and level told"]!).toBeLessThanOrEqual(figures!["kind told"]! + 1e-6);
  const rated = divided(await blurredPictures(at("rated"), 20));
  const fitted = await startTraining(
    dbCnn,
    device,
    rated,
    { backbone: "resnet18", stages: 1, resize: 40, crop: 32, headEpochs: 1, epochs: 0 },
    { folder: at("fitted"), featureFolder: at("features") },
    { init: join(at("plain"), files[0]!) },
  );
  fitted.model.dispose();
  expect(fitted.card.history.join("\n")).toMatch(/the S-CNN starts from \S*encoder.safetensors/);
}, 120_000);

test("goes on after a stop to the same bits, the layers beside the network among them", async () => {
  await train("whole", { epochs: 2 });
  await expect(train("stopped", { epochs: 2 }, data, 3)).rejects.toThrow(TrainingInterrupted);
  (await resumeTraining(dbCnnScnn as never, device, { folder: at("stopped") })).model.dispose();
  const model = (run: string) => readFile(join(at(run), "encoder.safetensors"));
  expect(await model("stopped")).toEqual(await model("whole"));
}, 60_000);

test("a view is its picture degraded as its plan says, which its class is made of", async () => {
  const options = dbCnnScnn.options(small);
  const kinds = options.kinds as (typeof distortionNames)[number][];
  const model = new QualityNetwork(device, options);
  const inputs = new DegradedInputs(model, 4, { ...options, kinds });
  const { path } = data.unlabelled[0]!;
  const wanted = [0, 1].map((version) => ({ path, window: { top: 0.3, left: 0.9, flip: false }, strong: 77, version }));
  const found: Float32Array[] = [];
  for await (const loaded of inputs.load(wanted)) if ("tensor" in loaded) found.push(await loaded.tensor.read());
  const { pixels } = await decode(path);
  // A part of 40 of 44 pixels, at these shares of the 5 places.
  const [top, left] = [1, 4];
  const cut = Uint8Array.from({ length: 40 * 40 * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % 40, Math.floor(i / 120)];
    return pixels[((y + top) * 44 + x + left) * 3 + c]!;
  });
  using part = unpackRgb(device, cut, 40, 40);
  const plan = planDegradations(77, 2, kinds);
  for (const [i, { kind, level, seed, place }] of plan.entries()) {
    using whole = await distort(part, kinds[kind]!, level, seed);
    const all = await whole.read();
    const at = (share: number) => Math.min(8, Math.floor(share * 9));
    const expected = Float32Array.from({ length: 32 * 32 * 3 }, (_, k) => {
      const [c, x, y] = [k % 3, Math.floor(k / 3) % 32, Math.floor(k / 96)];
      return Math.min(1, Math.max(0, all[((y + at(place.top)) * 40 + x + at(place.left)) * 3 + c]!));
    });
    expect(found[i]).toEqual(expected);
  }
  expect(new Set(plan.map(({ kind }) => kind)).size).toBe(2);
  inputs.dispose();
  model.dispose();
});

test("plans have every class alike often, and other kinds for the views of a picture", () => {
  const counts = new Map<number, number>();
  const random = new Random(1, "seeds");
  for (let i = 0; i < 2000; i++) {
    const plan = planDegradations(random.integer(2 ** 32), 5, distortionNames);
    expect(new Set(plan.map(({ kind }) => kind)).size).toBe(5);
    for (const each of plan) counts.set(classOf(each), (counts.get(classOf(each)) ?? 0) + 1);
  }
  expect(counts.size).toBe(125);
  expect(Math.min(...counts.values())).toBeGreaterThan(45);
  expect(Math.max(...counts.values())).toBeLessThan(125);
});

test("pictures that are too small, options and data that do not do are told by name", async () => {
  const tiny = (await blurredPictures(at("tiny"), 2, 30)).slice(0, 1).map(({ path }) => ({ name: "tiny", path }));
  const { logged } = await train("tiny", { epochs: 1 }, { ...data, unlabelled: [...data.unlabelled, ...tiny] });
  expect(logged.join("\n")).toMatch(/left out: tiny: \S+0.png is 30 x 30, in which a crop of 32 pixels does not fit/);
  await expect(train("few", { batch: 9 })).rejects.toThrow("8 unlabelled pictures are fewer than one batch, `batch` 9");
  const refused: [object, string][] = [
    [{ network: "reiqa" }, "`network` reiqa: a backbone is trained alone"],
    [{ cropFrom: "resized" }, "`cropFrom` resized: pictures are degraded at their own size"],
    [{ frozen: 1 }, "`frozen` 1: views are new in each epoch"],
    [{ region: 20 }, "`region` 20: a crop of 32 pixels is cut of it"],
    [{ kinds: ["jpeg", "jpeg"] }, "`kinds` jpeg,jpeg: one is there twice"],
    [{ kinds: ["blur"] }, "`kinds`"],
    [{ kinds: [] }, "`kinds`"],
  ];
  for (const [options, message] of refused) expect(() => dbCnnScnn.options({ ...small, ...options })).toThrow(message);
}, 60_000);

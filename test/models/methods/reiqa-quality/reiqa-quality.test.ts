import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensors, toFloat32 } from "../../../../engine/weights/safetensors.ts";
import { reIqa } from "../../../../models/methods/reiqa/index.ts";
import { type ReIqaQualityOptionsInput, reIqaQuality } from "../../../../models/methods/reiqa-quality/index.ts";
import { expectFreeFolder } from "../../../../models/training/run-folder.ts";
import { resumeTraining, startTraining } from "../../../../models/training/train.ts";
import { TrainingInterrupted } from "../../../../models/training/training.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures, divided } from "../../training/pictures.ts";
import { unlabelledTraining } from "../unlabelled-training.ts";

const device = await sharedDevice();
const small: ReIqaQualityOptionsInput = {
  ...{ backbone: "resnet18", stages: 1, crop: 32, region: 112, batch: 2, degraded: 2, queue: 30, projection: 8 },
};

const { at, data, train } = await unlabelledTraining(reIqaQuality, small, 7, 100);

test("learns from pictures without labels, and leaves an encoder that Re-IQA takes", async () => {
  const { progress, files } = await train("plain", { epochs: 2 });
  // 7 pictures in batches of 2, the last of 1.
  expect(progress.losses.length).toBe(8);
  for (const { loss, figures } of progress.losses) {
    expect(Number.isFinite(loss)).toBe(true);
    expect(figures!["told apart"]).toBeGreaterThanOrEqual(0);
    expect(figures!["told apart"]).toBeLessThanOrEqual(1);
  }
  // Nothing is in the queue before the first step.
  expect(progress.losses[0]!.loss).toBeLessThan(1e-5);
  expect(progress.losses[1]!.loss).toBeGreaterThan(0.1);
  expect(files).toEqual(["encoder.safetensors"]);
  await expect(expectFreeFolder(at("plain"))).rejects.toThrow("encoder.safetensors");
  expect(progress.results).toEqual([]);
  const rated = divided(await blurredPictures(at("rated"), 20));
  const fitted = await startTraining(
    reIqa,
    device,
    rated,
    { backbone: "resnet18", stages: 1, resize: 40, crop: 40, encoders: "quality" },
    { folder: at("fitted"), featureFolder: at("features") },
    { init: join(at("plain"), files[0]!) },
  );
  fitted.model.dispose();
  expect(fitted.card.history.join("\n")).toContain(
    "quality encoder: the whole network starts from encoder.safetensors",
  );
}, 120_000);

test("goes on after a stop within an epoch to the same bits, queue and moving average among them", async () => {
  const whole = await train("whole", { epochs: 2 });
  for (const stopAfter of [1, 3, 6]) {
    const name = `stopped-${stopAfter}`;
    await expect(train(name, { epochs: 2 }, data, stopAfter)).rejects.toThrow(TrainingInterrupted);
    const resumed = await resumeTraining(reIqaQuality as never, device, { folder: at(name) });
    resumed.model.dispose();
    expect(resumed.progress.losses).toEqual(whole.progress.losses);
    const model = (run: string) => readFile(join(at(run), "encoder.safetensors"));
    expect(await model(name)).toEqual(await model("whole"));
  }
}, 120_000);

test("a checkpoint holds the keys of the last batches", async () => {
  await expect(train("queue", {}, data, 2)).rejects.toThrow(TrainingInterrupted);
  await using file = await openSafetensors(join(at("queue"), "checkpoint.safetensors"));
  const rows = toFloat32(await file.read("queue.rows"));
  // Two batches of 12 rows: 2 pictures, 3 versions, 2 sizes. Columns: embedding, answer, 1 where there is one.
  expect(rows.length).toBe(24 * 10);
  for (let i = 0; i < 24; i++) {
    const row = rows.slice(i * 10, (i + 1) * 10);
    expect(Math.hypot(...row.slice(0, 8))).toBeCloseTo(1, 5);
    expect(row[9]).toBe(1);
  }
});

test("pictures that are too small, options and data that do not do are told by name", async () => {
  const tiny = (await blurredPictures(at("tiny"), 2, 70)).map(({ path }, i) => ({ name: `tiny ${i}`, path }));
  const { logged } = await train("tiny", { epochs: 1 }, { ...data, unlabelled: [...data.unlabelled, ...tiny] });
  expect(logged.join("\n")).toMatch(
    /left out: tiny 0: \S+0.png is 70 x 70, of which at most 112 x 112 are taken: at half that size two crops of 32 pixels/,
  );
  await expect(train("few", { batch: 8 })).rejects.toThrow("7 unlabelled pictures are fewer than one batch, `batch` 8");
  const refused: [object, string][] = [
    [{ network: "reiqa" }, "`network` reiqa: the quality encoder is trained alone"],
    [{ cropFrom: "resized", resize: 32 }, "`cropFrom` resized: pictures are degraded at their own size"],
    [{ frozen: 1 }, "`frozen` 1: views are new in each epoch"],
    [{ teacher: 0 }, "`teacher` 0: what crops are compared with"],
    [{ degraded: 27 }, "`degraded` 27"],
  ];
  for (const [options, message] of refused)
    expect(() => reIqaQuality.options({ ...small, ...options })).toThrow(message);
}, 60_000);

import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestKey, withDigest } from "../../../engine/weights/digest.ts";
import {
  openSafetensors,
  type TensorToStore,
  toFloat32,
  writeSafetensors,
} from "../../../engine/weights/safetensors.ts";
import { openModel } from "../../../models/networks/model.ts";
import { lookOf, SameScores } from "../../../models/scoring/same-scores.ts";
import { openScorer, type PictureScore } from "../../../models/scoring/scorer.ts";
import { answerSchema, type LogEntry, openService } from "../../../models/service/index.ts";
import { predict } from "../../../models/views/predict.ts";
import { sharedDevice } from "../../engine/device.ts";
import { form, post, problem } from "../service/requests.ts";
import { noisePictures, smallModel } from "./fixtures.ts";

const device = await sharedDevice();
const folder = await mkdtemp(join(tmpdir(), "acutance-no-score-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const whole = await smallModel(folder, "whole");
const pictures = (await noisePictures(7)) as Uint8Array<ArrayBuffer>[];

/** The model with other finite numbers in some tensors, and the digest that belongs to them. */
async function changed(name: string, tensor: RegExp, change: (value: number) => number): Promise<string> {
  await using file = await openSafetensors(whole);
  const tensors: TensorToStore[] = [];
  for (const [name, { dtype, shape }] of file.tensors) {
    const data = Float32Array.from(toFloat32(await file.read(name)));
    tensors.push({ name, dtype, shape, data: tensor.test(name) ? data.map(change) : data });
  }
  const path = join(folder, `${name}.safetensors`);
  const texts = Object.fromEntries([...file.metadata].filter(([key]) => key !== digestKey));
  await writeSafetensors(path, tensors, withDigest(tensors, texts));
  return path;
}

// Their products are beyond the largest f32.
const overflowing = await changed("overflowing", /^head\.(embedding\.bias|logits\.weight)$/, () => 3e38);
const blind = await changed("blind", /^head\.logits\.weight$/, () => 0);

test("a picture of which a model makes no finite numbers is an error, alone and among others", async () => {
  await using scorer = await openScorer({ model: overflowing, device });
  expect(scorer.score(pictures[0]!, { name: "one.png" })).rejects.toMatchObject({
    name: "PictureError",
    reason: "no-score",
    message: expect.stringMatching(
      /^one\.png: no score\. The model gives it no probabilities: \d+ of 20 are not finite/,
    ),
  });
  const rows = await Array.fromAsync(scorer.scoreMany(pictures));
  expect(rows.map((row) => "error" in row && (row.error as { reason?: string }).reason)).toEqual(
    pictures.map(() => "no-score"),
  );
  expect(scorer.explain(pictures[0]!)).rejects.toMatchObject({ reason: "no-score" });
});

test("evaluation in training has an error in its place, not a score", async () => {
  const path = join(folder, "a.png");
  await writeFile(path, pictures[0]!);
  const { model, card } = await openModel(device, overflowing);
  const options = { ...card.options, cropFrom: "original" as const, testCrops: 2 };
  const [outcome] = await Array.fromAsync(predict(model, [{ path }], {} as never, options));
  expect(outcome).toMatchObject({ error: { reason: "no-score", path } });
  model.dispose();
});

test("the service answers with a problem, never with a score of null", async () => {
  await using service = await openService({ models: [{ model: overflowing, device }] });
  const alone = await service.fetch(post("/v1/score", pictures[0]!));
  expect(alone.status).toBe(422);
  expect((await problem(alone)).code).toBe("no-score");
  const text = await (await service.fetch(form(pictures))).text();
  expect(text).not.toContain('"score":null');
  expect(answerSchema.parse(JSON.parse(text)).pictures.every((row) => "error" in row)).toBe(true);
});

test("a model that gives unlike pictures the same score is told of once, in the library and in the service's log", async () => {
  const notes: string[] = [];
  await using scorer = await openScorer({ model: blind, device, onNote: (note) => notes.push(note) });
  const unlike = await flatPictures(9);
  const scores = (await Array.fromAsync(scorer.scoreMany(unlike))) as unknown as PictureScore[];
  expect(new Set(scores.map(({ score }) => score)).size).toBe(1);
  expect(notes).toEqual([
    `blind gives unlike pictures the same score, ${scores[0]!.score}: its weights may be damaged, or its training went wrong`,
  ]);
  const log: LogEntry[] = [];
  await using service = await openService({ models: [{ model: blind, device }], log: (entry) => log.push(entry) });
  await service.fetch(form(unlike));
  expect(log.filter(({ event }) => event === "model-note")).toMatchObject([{ level: "warn", model: "blind" }]);
});

test("a model that looks at pictures, and copies of one picture, give no note", async () => {
  const notes: string[] = [];
  await using scorer = await openScorer({ model: whole, device, onNote: (note) => notes.push(note) });
  await Array.fromAsync(scorer.scoreMany(await flatPictures(9)));
  await using other = await openScorer({ model: blind, device, onNote: (note) => notes.push(note) });
  const [one] = await flatPictures(1);
  await Array.fromAsync(other.scoreMany(Array.from({ length: 9 }, () => one!)));
  expect(notes).toEqual([]);
});

test("looks: sizes of one picture are alike, other pictures are not", () => {
  const picture = (width: number, height: number, value: (x: number, y: number) => number) => ({
    width,
    height,
    pixels: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
      const at = Math.floor(i / 3);
      return 255 * value((at % width) / width, Math.floor(at / width) / height);
    }),
  });
  const slope = (x: number, y: number) => (x + y) / 2;
  const same = new SameScores();
  for (const side of [1, 40, 100, 333, 1000, 7])
    expect(same.notices(3, lookOf(picture(side, side, slope)))).toBe(false);
  const steps = [0, 0.2, 0.4, 0.6, 0.8].map((level) => lookOf(picture(30, 20, () => level)));
  expect(steps.map((look, i) => new SameScores().notices(i, look))).not.toContain(true);
  const noticed = steps.map((look) => same.notices(3 + 5e-7, look));
  expect(noticed.filter(Boolean)).toHaveLength(1);
});

/** PNG files of one colour each. */
async function flatPictures(count: number): Promise<Uint8Array<ArrayBuffer>[]> {
  const { default: sharp } = await import("sharp");
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const background = { r: 25 * i, g: 255 - 25 * i, b: (90 * i) % 256 };
      const image = sharp({ create: { width: 40 + i, height: 40, channels: 3, background } });
      return new Uint8Array(await image.png().toBuffer());
    }),
  );
}

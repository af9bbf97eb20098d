import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../../engine/random.ts";
import { distort, fromBytes, toBytes } from "../../../models/data/degraded/distortions.ts";
import { demoScenes } from "../../../models/demo.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { sensitivity } from "../../../models/scoring/sensitivity.ts";
import { defaultModel, defaultModelName } from "../../../models/scoring/shipped-models.ts";
import { sharedDevice } from "../../engine/device.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-sensitivity-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const side = 64;
const scenes = async (perPhotograph: number, pixels = side) => {
  const found = await demoScenes({ side: pixels, perPhotograph });
  return found.map(({ scene, bytes }) => ({ name: scene, picture: { pixels: bytes, width: pixels, height: pixels } }));
};

test("means and inversions are those of the scores", async () => {
  const device = await sharedDevice();
  const model = new QualityNetwork(device, cplOptions({ stages: 1, resize: 36, crop: 32 }));
  const path = join(folder, "drawn.safetensors");
  await saveModel(path, model, { options: model.options, range: [0, 100], history: [], fresh: [] });
  model.dispose();
  await using scorer = await openScorer({ device, model: path });
  const pictures = (await scenes(1)).slice(0, 3);
  const seed = 7;
  const found = await sensitivity(device, scorer, pictures, { kinds: ["darken", "white-noise"], seed });
  for (const { distortion, meanScores, inversions, fallen } of found) {
    const scores = await Promise.all(
      pictures.map(async ({ name, picture }) => {
        using clean = fromBytes(device, picture.pixels, side, side);
        const own: number[] = [];
        for (const level of [0, 1, 2, 3, 4, 5]) {
          const word = new Random(seed, `sensitivity/${name}/${distortion}`).word();
          const bytes = level === 0 ? picture.pixels : await toBytes(await distort(clean, distortion, level, word));
          const file = sharp(bytes, { raw: { width: side, height: side, channels: 3 } }).png();
          own.push((await scorer.score(await file.toBuffer())).score);
        }
        return own;
      }),
    );
    const means = [0, 1, 2, 3, 4, 5].map((level) => scores.reduce((sum, own) => sum + own[level]!, 0) / scores.length);
    expect(meanScores).toHaveLength(6);
    means.forEach((mean, level) => {
      expect(meanScores[level]).toBeCloseTo(mean, 5);
    });
    expect(inversions).toEqual([1, 2, 3, 4, 5].filter((level) => meanScores[level]! > meanScores[level - 1]!));
    expect(fallen).toBeCloseTo(scores.filter((own) => own[5]! < own[0]!).length / 3);
  }
});

test("the model that comes along is small, says its scale, and gives less for strong blur, noise, compression and darkness", async () => {
  expect((await stat(defaultModel)).size).toBeLessThan(12e6);
  const device = await sharedDevice();
  await using scorer = await openScorer({ device });
  expect(scorer.name).toBe(defaultModelName);
  expect(scorer.card.range).toEqual([0, 100]);
  const pictures = await scenes(1, 240);
  const score = async (kind?: "gaussian-blur" | "white-noise" | "jpeg" | "darken") => {
    let sum = 0;
    for (const { picture } of pictures) {
      using clean = fromBytes(device, picture.pixels, 240, 240);
      const bytes = kind ? await toBytes(await distort(clean, kind, 5, 1)) : picture.pixels;
      sum += (await scorer.score(sharp(bytes, { raw: { width: 240, height: 240, channels: 3 } }))).score;
    }
    return sum / pictures.length;
  };
  const clean = await score();
  for (const kind of ["gaussian-blur", "white-noise", "jpeg", "darken"] as const)
    expect([kind, (await score(kind)) < clean - 1]).toEqual([kind, true]);
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usualDistortions } from "../../models/data/degraded/distortions.ts";
import { decode, loadDataset, ratedRows, split } from "../../models/data/index.ts";
import { type DemoPicture, makeDemoDataset } from "../../models/demo.ts";
import { sharedDevice } from "../engine/device.ts";

const photographs = 6;
const scenesPerPhotograph = 2;
const picturesPerScene = usualDistortions.length + 1;
let folder: string;
let pictures: DemoPicture[];
const steps: [done: number, total: number][] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-demo-"));
  const onProgress = (done: number, total: number) => steps.push([done, total]);
  pictures = await makeDemoDataset(await sharedDevice(), folder, { seed: 3, scenesPerPhotograph, onProgress });
});

afterAll(() => rm(folder, { recursive: true }));

test("every scene is there clean and with every kind of distortion, scored on 0 to 100", () => {
  expect(pictures).toHaveLength(photographs * scenesPerPhotograph * picturesPerScene);
  expect(new Set(pictures.map(({ name }) => name)).size).toBe(pictures.length);
  expect(new Set(pictures.map(({ scene }) => scene)).size).toBe(photographs * scenesPerPhotograph);
  expect(steps.at(-1)).toEqual([pictures.length, pictures.length]);
  for (const { mos, distortion, level } of pictures) {
    expect(mos).toBeGreaterThanOrEqual(0);
    expect(mos).toBeLessThanOrEqual(100);
    expect(level).toBeWithin(...((distortion === "none" ? [0, 1] : [1, 6]) as [number, number]));
    if (distortion === "none") expect(mos).toBe(100);
  }
  expect(new Set(pictures.map(({ level }) => level)).size).toBe(6);
});

test("the ordinary data pipeline reads it, and keeps scenes together", async () => {
  const csv = join(folder, "scores.csv");
  const dataset = await loadDataset({ folder, csv, range: [0, 100], columns: { group: "scene" } });
  expect(dataset.problems).toEqual([]);
  expect(dataset.rows).toHaveLength(pictures.length);
  const shares = { labelled: 1, unlabelled: 3, test: 1 };
  const parts = split(ratedRows(dataset.rows), { parts: shares, seed: 1, by: "group" });
  const tested = new Set(parts.test.map(({ group }) => group));
  expect(tested.size).toBeGreaterThan(1);
  for (const { group } of [...parts.labelled, ...parts.unlabelled]) expect(tested.has(group)).toBe(false);
});

test("no scene is blank, although toned paper differs between R, G and B", async () => {
  for (const { name } of pictures.filter(({ distortion }) => distortion === "none")) {
    const { width, height, pixels } = await decode(join(folder, name));
    expect([width, height]).toEqual([72, 72]);
    const luma = Array.from({ length: width * height }, (_, i) => {
      return 0.299 * pixels[3 * i]! + 0.587 * pixels[3 * i + 1]! + 0.114 * pixels[3 * i + 2]!;
    });
    const mean = luma.reduce((sum, value) => sum + value, 0) / luma.length;
    const variance = luma.reduce((sum, value) => sum + (value - mean) ** 2, 0) / luma.length;
    expect(Math.sqrt(variance)).toBeGreaterThan(12 - 1e-6);
  }
});

test("the same seed makes the same set, another seed another one", async () => {
  const device = await sharedDevice();
  const again = join(folder, "again");
  const other = join(folder, "other");
  expect(await makeDemoDataset(device, again, { seed: 3, scenesPerPhotograph })).toEqual(pictures);
  const noisy = pictures.find(({ distortion }) => distortion === "white-noise")!.name;
  expect(await readFile(join(again, noisy))).toEqual(await readFile(join(folder, noisy)));
  expect(await makeDemoDataset(device, other, { seed: 4, scenesPerPhotograph })).not.toEqual(pictures);
});

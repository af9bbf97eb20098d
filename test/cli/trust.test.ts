import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../engine/random.ts";
import { noisePictures, smallModel } from "../models/scoring/fixtures.ts";
import { acutanceIn } from "./acutance-in.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-trust-"));
  await smallModel(folder);
  await mkdir(join(folder, "photos"));
  const random = new Random(1, "opinions");
  const lines = ["name,mos"];
  for (const [i, bytes] of (await noisePictures(52)).entries()) {
    await writeFile(join(folder, `photos/${i}.png`), bytes);
    lines.push(`${i}.png,${20 + random.integer(60)}`);
  }
  await writeFile(join(folder, "mos.csv"), `${lines.join("\n")}\n`);
  const predictions = Array.from({ length: 60 }, (_, i) => `p${i},${30 + (i % 40)},${25 + random.integer(50)}`);
  await writeFile(join(folder, "predictions.csv"), `name,score,mos\n${predictions.join("\n")}\n`);
  await writeFile(join(folder, "few.csv"), `name,score,mos\n${predictions.slice(0, 5).join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const acutance = acutanceIn(() => folder);

const data = ["--data", "photos", "--csv", "mos.csv", "--range", "0:100"];

test("a model learns intervals and what is typical; score tells both, evaluate counts them, export keeps them", () => {
  const model = ["--model", "small.safetensors"];
  const made = acutance("trust", ...model, ...data, "--photographs", "photos", "--out", "both.safetensors", "--json");
  expect([made.status, made.stderr]).toEqual([0, expect.stringContaining("without --split nothing tells")]);
  const figures = JSON.parse(made.stdout);
  expect(figures).toMatchObject({ out: "both.safetensors", level: 0.9, pictures: 52, photographs: 52 });
  expect(figures.coverage).toBeGreaterThan(0.8);
  expect(figures.byMos).toHaveLength(5);
  expect(acutance("export", "--model", "both.safetensors", "--out", "half.safetensors").status).toBe(0);
  const table = acutance("score", "photos/20.png", "--model", "half.safetensors").stdout;
  expect(table).toMatch(/score \(0-100\), 90 % interval/);
  expect(table).toMatch(/photos\/20\.png +\d+ \(\d+ to \d+\)/);
  const csv = acutance("score", "photos/20.png", "--model", "half.safetensors", "--csv").stdout.split("\n");
  expect(csv[0]).toBe(
    "path,score,low,high,intervalLow,intervalHigh,typicality,typicalityShare,standardDeviation,confidence,reasons,error",
  );
  const [picture] = JSON.parse(
    acutance("score", "photos/20.png", "--model", "half.safetensors", "--json").stdout,
  ).pictures;
  expect(picture.interval.level).toBe(0.9);
  expect(picture.interval.low <= picture.score && picture.score <= picture.interval.high).toBe(true);
  expect(picture.typicality.word).toBe("typical");
  // The scores of the photographs are the reference, in which each has its place.
  const placed = acutance("score", "photos", "--model", "both.safetensors", "--percentiles", "--json").stdout;
  const places = (JSON.parse(placed).pictures as { percentile: number; referencePercentile: number }[]).toSorted(
    (a, b) => a.percentile - b.percentile,
  );
  expect(places).toHaveLength(52);
  for (const { percentile, referencePercentile } of places) {
    expect(Math.abs(percentile - referencePercentile)).toBeLessThan(3);
  }
  const evaluated = acutance("evaluate", "--model", "half.safetensors", ...data);
  expect(evaluated.stdout).toMatch(/90 % intervals hold the MOS of [\d.]+ % of 52 pictures/);
  expect(acutance("score", "photos/20.png", ...model).stdout).not.toContain("interval");
});

test("predictions calibrate as well, and leave what is typical as it is", () => {
  const words = ["trust", "--model", "small.safetensors", "--predictions", "predictions.csv", "--level", "0.8"];
  const { status, stdout } = acutance(...words, "--out", "level.safetensors");
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/80 % intervals hold the MOS of [\d.]+ % of 60 pictures/),
  ]);
});

test.each([
  [[], 2, "nothing to learn from: give --data and --csv, --predictions, or --photographs"],
  [["--data", "photos"], 2, "--data and --csv are needed"],
  [["--predictions", "few.csv", ...data], 2, "--predictions and --data: choose one of them"],
  [["--predictions", "few.csv"], 1, "an interval of 90 % needs at least 12 rated pictures"],
  [["--predictions", "mos.csv"], 1, 'mos.csv has no column "score"'],
  [["--predictions", "none.csv"], 1, "none.csv"],
  [["--level", "90", ...data], 2, "expected a share from 0.5 to 0.99"],
  [
    ["--data", "photos", "--csv", "mos.csv", "--range", "0:200"],
    1,
    "the model scores on [0, 100], the data set is on [0,200]",
  ],
  [["--photographs", "nowhere"], 1, "nowhere"],
] as const)("acutance trust %j is refused", (words, status, message) => {
  const refused = acutance("trust", "--model", "small.safetensors", "--out", "none.safetensors", ...words);
  expect([refused.status, refused.stderr]).toEqual([status, expect.stringContaining(message)]);
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { Random } from "../../engine/random.ts";
import { openModel } from "../../models/index.ts";
import { sharedDevice } from "../engine/device.ts";
import { smallModel } from "../models/scoring/fixtures.ts";
import { acutanceIn } from "./acutance-in.ts";

const count = 48;
let folder = "";
let model = "";
const acutance = acutanceIn(() => folder);

/** Pictures of two colours each, rated by how red they are: 1 to 5. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acutance-adapt-"));
  model = await smallModel(folder, "small", { featureNorm: "none" });
  mkdirSync(join(folder, "pictures"));
  const random = new Random(5, "adapt pictures");
  const rows = ["name,mos,group"];
  const noise = ["name,mos"];
  for (let i = 0; i < count; i++) {
    const [red, green, blue] = [random.integer(256), random.integer(256), random.integer(256)];
    const pixels = Uint8Array.from({ length: 3 * 40 * 40 }, (_, k) => {
      const value = [red, green, blue][k % 3]! + random.integer(40) - 20;
      return Math.min(255, Math.max(0, value));
    });
    await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
      .png()
      .toFile(join(folder, `pictures/${i}.png`));
    rows.push(`${i}.png,${(1 + (4 * red) / 255).toFixed(2)},shoot ${i >> 1}`);
    noise.push(`${i}.png,${1 + random.integer(5)}`);
  }
  writeFileSync(join(folder, "pictures/red.csv"), `${rows.join("\n")}\n`);
  writeFileSync(join(folder, "pictures/noise.csv"), `${noise.join("\n")}\n`);
  writeFileSync(join(folder, "pictures/few.csv"), `${rows.slice(0, 15).join("\n")}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const adapt = (...words: string[]) => acutance("adapt", "--model", model, "--range", "1:5", ...words);

test("ratings that a model can learn: a better one is written, and scores on their scale", async () => {
  const words = ["--data", "pictures/red.csv", "--out", "red.safetensors", "--store", "s.db", "--json"];
  const { status, stdout, stderr } = adapt(...words);
  expect([status, stderr]).toEqual([0, expect.stringContaining("48 ratings are few")]);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({
    pictures: count,
    groups: count / 2,
    range: [1, 5],
    verdict: "better",
    written: "red.safetensors",
  });
  expect(report.figures.srcc.adapted).toBeGreaterThan(0.7);
  expect(report.figures.srcc.interval[0]).toBeGreaterThan(0);
  // What was computed is in the store; the figures are the same.
  const again = adapt(...words);
  expect(JSON.parse(again.stdout)).toEqual(report);

  const { card } = await openModel(await sharedDevice(), join(folder, "red.safetensors"));
  expect(card.history.at(-1)).toContain("is adapted to 48 ratings by ridge regression");
  const scored = acutance("score", "--model", "red.safetensors", "pictures", "--json");
  const { range, pictures } = JSON.parse(scored.stdout);
  expect(range).toEqual([1, 5]);
  for (const { score, interval } of pictures) {
    expect(score).toBeGreaterThanOrEqual(1);
    expect(score).toBeLessThanOrEqual(5);
    expect(interval.low).toBeLessThanOrEqual(score);
    expect(interval.high).toBeGreaterThanOrEqual(score);
  }
  const evaluated = acutance(
    "evaluate",
    "--model",
    "red.safetensors",
    "--data",
    "pictures",
    "--csv",
    "pictures/red.csv",
    "--range",
    "1:5",
    "--json",
  );
  expect(evaluated.stdout).toContain("srcc");
});

test("ratings by chance: nothing is written, unless it is forced", () => {
  const { status, stdout } = adapt(
    "--data",
    "pictures",
    "--csv",
    "pictures/noise.csv",
    "--out",
    "noise.safetensors",
    "--store",
    "s.db",
  );
  expect([status, existsSync(join(folder, "noise.safetensors"))]).toEqual([1, false]);
  expect(stdout).toContain("Nothing is written.");
  const forced = adapt("--data", "pictures/noise.csv", "--out", "noise.safetensors", "--store", "s.db", "--force");
  expect([forced.status, existsSync(join(folder, "noise.safetensors"))]).toEqual([0, true]);
});

test("two folders, good and bad", () => {
  mkdirSync(join(folder, "good"));
  mkdirSync(join(folder, "bad"));
  const { stdout } = acutance("score", "--model", model, "pictures", "--json");
  const names = (JSON.parse(stdout).pictures as { path: string }[]).map(({ path }) => path).slice(0, 24);
  for (const [i, path] of names.entries()) {
    copyFileSync(join(folder, path), join(folder, i % 2 ? "good" : "bad", `${i}.png`));
  }
  const { stdout: out } = acutance(
    "adapt",
    "--model",
    model,
    "--good",
    "good",
    "--bad",
    "bad",
    "--out",
    "two.safetensors",
    "--json",
    "--force",
  );
  const report = JSON.parse(out);
  expect(Object.keys(report.figures)).toEqual(["auc"]);
  expect(report).toMatchObject({ pictures: 24, range: [0, 100], written: "two.safetensors" });
});

test.each([
  [["--data", "pictures/few.csv"], 1, "14 ratings are too few to say anything of other pictures"],
  [["--data", "pictures"], 2, "--csv is needed"],
  [["--good", "pictures"], 2, "--good and --bad are needed together"],
  [[], 2, "--data is needed"],
])("%j is refused", (words, code, says) => {
  const { status, stderr } = adapt(...words, "--out", "x.safetensors");
  expect([status, stderr]).toEqual([code, expect.stringContaining(says)]);
});

test("a model tested with several crops is refused before anything is scored", async () => {
  const words = (path: string) => [
    "adapt",
    "--model",
    path,
    "--range",
    "1:5",
    "--data",
    "pictures/red.csv",
    "--store",
    "x.db",
    "--out",
    "x.safetensors",
  ];
  const crops = acutance(...words(await smallModel(folder, "crops", { testCrops: 4, cropFrom: "original" })));
  expect([crops.status, crops.stderr]).toEqual([1, expect.stringContaining("the mean over 4 crops of a picture")]);
  const scored = acutance("score", "--model", model, "pictures/0.png", "--store", "x.db");
  expect(scored.stderr).toContain("0 of 1 pictures were in the store");
});

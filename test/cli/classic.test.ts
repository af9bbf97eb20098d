import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { pixels } from "../models/classic/pictures.ts";
import { acutanceIn } from "./acutance-in.ts";

let folder = "";

/** Twelve pictures from waves to noise, the first the best rated; a small one, and a flat one. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-classic-"));
  await mkdir(join(folder, "photos"));
  const write = (name: string, bytes: Uint8Array, width: number, height: number) =>
    sharp(bytes, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, name));
  const lines = ["name,mos"];
  for (let i = 0; i < 12; i++) {
    const noise = pixels("noise", 192, 288, i);
    const bytes = pixels("waves", 192, 288, i).map((value, k) => value + ((noise[k]! - value) * i) / 12);
    await write(`photos/${String(i).padStart(2, "0")}.png`, bytes, 288, 192);
    lines.push(`${String(i).padStart(2, "0")}.png,${90 - 7 * i}`);
  }
  await writeFile(join(folder, "scores.csv"), lines.join("\n"));
  await mkdir(join(folder, "bad"));
  await write("bad/flat.png", pixels("constant", 100, 100), 100, 100);
  await write("bad/small.png", pixels("waves", 90, 100), 100, 90);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const acutance = acutanceIn(() => folder);

const paths = (csv: string) =>
  csv
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.split(",")[0]);

test("NIQE: made of photographs, scores with lower better, evaluated with the sign turned", () => {
  const made = acutance("parameters", "niqe", "photos/0[0-7].png", "--out", "niqe.json");
  expect(made.status).toBe(0);
  expect(made.stdout).toMatch(/^\d+ sharp blocks of 8 pictures; parameters: niqe\.json/);

  const scored = acutance(
    "score",
    "--method",
    "niqe",
    "--parameters",
    "niqe.json",
    "photos",
    "bad",
    "--json",
    "--sort",
  );
  expect(scored.status).toBe(1);
  const { model, range, direction, pictures } = JSON.parse(scored.stdout);
  expect({ model, range, direction }).toEqual({ model: "niqe", range: [0, null], direction: "lower is better" });
  const scores = pictures.flatMap(({ score }: { score?: number }) => score ?? []);
  expect(scores).toHaveLength(12);
  expect(scores).toEqual(scores.toSorted((a: number, b: number) => a - b));
  expect(pictures.slice(12)).toEqual([
    { path: "bad/flat.png", error: expect.stringContaining("it is flat: niqe has no statistics of it") },
    { path: "bad/small.png", error: expect.stringContaining("at least 96 x 96 pixels, this one has 100 x 90") },
  ]);

  const words = ["--method", "niqe", "--parameters", "niqe.json", "--data", "photos", "--csv", "scores.csv"];
  const evaluated = acutance("evaluate", ...words, "--json");
  expect(evaluated.status).toBe(0);
  const result = JSON.parse(evaluated.stdout);
  expect(result).toMatchObject({ method: "niqe", direction: "lower is better", n: 12 });
  expect(result.srcc).toBeGreaterThan(0.5);
  expect(acutance("evaluate", ...words).stdout).toContain("correlations are those of −score");
});

test("BRISQUE: learnt from ratings, scores on their scale", async () => {
  const data = ["--data", "photos", "--csv", "scores.csv", "--range", "0:100"];
  const made = acutance("parameters", "brisque", ...data, "--out", "brisque.json");
  expect(made).toMatchObject({ status: 0, stdout: expect.stringContaining("learnt from 12 pictures, SRCC") });
  expect(JSON.parse(await readFile(join(folder, "brisque.json"), "utf8"))).toMatchObject({ lowerIsBetter: false });
  const scored = acutance("score", "--method", "brisque", "--parameters", "brisque.json", "photos", "--csv", "--sort");
  expect(scored.status).toBe(0);
  expect(scored.stdout).toContain("path,score,low,high,error\n");
  expect(paths(scored.stdout)[0]).toBe("photos/00.png");
  expect(paths(scored.stdout)[11]).toBe("photos/11.png");
});

test("a store keeps the scores of a formula by its parameters, whatever file they are in", async () => {
  const run = (parameters: string) =>
    acutance(
      "score",
      "--method",
      "niqe",
      "--parameters",
      parameters,
      "photos/0[0-3].png",
      "bad",
      "--csv",
      "--store",
      "scores.db",
    );
  acutance("parameters", "niqe", "photos/0[0-7].png", "--out", "niqe.json");
  acutance("parameters", "niqe", "photos/0[1-8].png", "--out", "other.json");
  const first = run("niqe.json");
  expect(first.stderr).toContain("0 of 6 pictures were in the store");
  expect(first.stdout).toContain("bad/flat.png,,0,,");
  await copyFile(join(folder, "niqe.json"), join(folder, "same.json"));
  const again = run("same.json");
  // A picture that is too small for the formula is tried again: a file of the same bytes may come with other options.
  expect(again.stderr).toMatch(/[56] of 6 pictures were in the store/);
  expect(again.stdout).toBe(first.stdout);
  const other = run("other.json");
  expect(other.stderr).toContain("0 of 6 pictures were in the store");
  expect(other.stdout).not.toBe(first.stdout);
});

describe("wrong usage", () => {
  test.each([
    [["--method", "niqe"], "--method niqe needs --parameters <file>; make one by: acutance parameters niqe photos"],
    [["--parameters", "a.json"], "--parameters goes with --method niqe or --method brisque"],
    [["--feature-range", "a.txt"], "--feature-range goes with --method"],
    [["--method", "niqe", "--parameters", "a.json", "--model", "b"], "cannot be used with option '--model"],
    [["--method", "piqe"], "Allowed choices are niqe, brisque"],
  ])("%p", (words, message) => {
    const { status, stderr } = acutance("score", ...words, "photos");
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  test("a model of LIBSVM without its scaling names the option", async () => {
    await writeFile(join(folder, "svm.txt"), "svm_type epsilon_svr\n");
    const { status, stderr } = acutance("score", "--method", "brisque", "--parameters", "svm.txt", "photos");
    expect(status).toBe(1);
    expect(stderr).toContain("name the file that says how with --feature-range");
  });
});

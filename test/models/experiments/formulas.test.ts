import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { classicScores, makeBrisqueParameters } from "../../../models/classic/index.ts";
import { formulaPredictions } from "../../../models/experiments/formulas.ts";
import { runExperiment } from "../../../models/experiments/index.ts";
import { ownChanges } from "../../../models/experiments/settings.ts";
import { plcc, srcc } from "../../../models/metrics/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures } from "../training/pictures.ts";
import { recipeOf, small } from "./recipe.ts";

let folder = "";
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-formulas-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Parameters of NIQE that need no photographs: any mean and a covariance without correlations. */
const niqeParameters = {
  method: "niqe",
  mean: Array(36).fill(0.5),
  covariance: Array.from({ length: 36 }, (_, i) => Array.from({ length: 36 }, (_, j) => (i === j ? 1 : 0))),
};

test("NIQE and BRISQUE stand beside trained rows with what they reach on the same test parts", async () => {
  const device = await sharedDevice();
  const rows = await blurredPictures(at("pictures"), 20, 100);
  // One picture has no score.
  await sharp({ create: { width: 100, height: 100, channels: 3, background: "grey" } })
    .png()
    .toFile(at("pictures/0.png"));
  const range: [number, number] = [0, 100];
  const lines = rows.map(({ name, mos }) => `${name},${mos}`);
  await writeFile(at("scores.csv"), `name,mos\n${lines.join("\n")}\n`);
  const { parameters } = await makeBrisqueParameters(device, rows.slice(1), range);
  await writeFile(at("brisque.json"), JSON.stringify(parameters));
  await writeFile(at("niqe.json"), JSON.stringify(niqeParameters));
  const data = { folder: at("pictures"), csv: at("scores.csv"), range };
  const base = { ...ownChanges(small, "supervised"), method: "supervised", epochs: 1, batch: 4, ratio: "1:1:2" };
  const said = (formulas: object[]) => ({
    data,
    crossData: { again: data },
    seeds: [1, 2],
    networks: true,
    base,
    formulas,
  });
  const formulas = [
    { method: "niqe", parameters: at("niqe.json") },
    { name: "BRISQUE, here", method: "brisque", parameters: at("brisque.json") },
  ];
  const store = at("store");
  const lacking = await runExperiment(recipeOf(said([{ method: "niqe" }])), store, device);
  const [trained, none] = lacking.record.variants;
  expect(lacking.failed).toBe(0);
  expect(none).toMatchObject({ name: "NIQE: no parameters given, see --parameters niqe=FILE", runs: [] });
  expect(await readFile(join(lacking.folder, "table.md"), "utf8")).toContain("| NIQE: no parameters given");

  const { record, folder: out, failed } = await runExperiment(recipeOf(said(formulas)), store, device);
  expect(failed).toBe(0);
  const [same, niqe, brisque] = record.variants;
  expect(same!.runs.map(({ results }) => results)).toEqual(trained!.runs.map(({ results }) => results));
  expect([niqe!.name, brisque!.name]).toEqual(["NIQE", "BRISQUE, here"]);
  expect(niqe!.network!.parameters).toBe(36 + (36 * 37) / 2);
  expect(brisque!.network!.parameters).toBe(19 * 37 + 74);
  const predictions = parse(await readFile(join(out, "predictions.csv"), "utf8"), { columns: true }) as Record<
    string,
    string
  >[];
  for (const [row, options] of [
    [niqe!, { method: "niqe", parameters: at("niqe.json") }],
    [brisque!, { method: "brisque", parameters: at("brisque.json") }],
  ] as const) {
    expect(row.network!.picturesPerSecond).toBeGreaterThan(0);
    expect(row.seconds.mean).toBeNull();
    for (const [i, run] of row.runs.entries()) {
      expect(run.status).toBe("finished");
      const tested = predictions.filter(
        ({ variant, split_seed }) => variant === "base" && Number(split_seed) === i + 1,
      );
      const scored = await classicScores(
        device,
        tested.map(({ name }) => at(`pictures/${name}`)),
        options,
      );
      const known = scored.flatMap((score, j) =>
        typeof score === "number"
          ? [[options.method === "niqe" ? -score : score, Number(tested[j]!["mos"])] as const]
          : [],
      );
      const [scores, mos] = [known.map(([score]) => score), known.map(([, one]) => one)];
      const result = run.results.find(({ part }) => part === "test")!;
      expect(result.n).toBe(known.length);
      expect(result.srcc).toBe(srcc(scores, mos));
      expect(result.plcc).toBeCloseTo(plcc(scores, mos), 12);
      // NIQE has no scale on which an error could be told.
      expect(result.rmse === null).toBe(options.method === "niqe");
      expect(run.results.find(({ part }) => part === "again")!.n).toBe(19);
    }
  }
  await expect(
    runExperiment(recipeOf(said([{ method: "brisque", parameters: at("niqe.json") }])), store, device),
  ).rejects.toThrow("parameters of BRISQUE");
});

test("where lower is better the scale is turned, and its ends are seen on those of the data", () => {
  const rows = ["a", "b", "c"].map((name) => ({ name, path: name, sha256: name, mos: 3 }));
  const scores = new Map([
    ["a", 20],
    ["b", null],
    ["c", 100],
  ]);
  const of = (high: number, lowerIsBetter: boolean) =>
    formulaPredictions({ range: [0, high], lowerIsBetter }, rows, [1, 5], scores).map(({ name, score }) => [
      name,
      score,
    ]);
  expect(of(100, true)).toEqual([
    ["a", 4.2],
    ["c", 1],
  ]);
  expect(of(200, false)).toEqual([
    ["a", 1.4],
    ["c", 3],
  ]);
  expect(of(Number.POSITIVE_INFINITY, true)).toEqual([
    ["a", -20],
    ["c", -100],
  ]);
});

test("a recipe that names no formula is refused", () => {
  expect(() => recipeOf({ formulas: [{ method: "ilniqe" }] })).toThrow("formulas[0].method: Invalid option");
  expect(() => recipeOf({ formulas: [{ method: "niqe", parameter: "a" }] })).toThrow("did you mean parameters?");
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { runExperiment } from "../../../models/experiments/index.ts";
import { ownChanges } from "../../../models/experiments/settings.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import { modelOptions } from "../../../models/networks/options.ts";
import { sharedDevice } from "../../engine/device.ts";
import { recipeOf, small, writePictures } from "./recipe.ts";

let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-networks-"));
  data = await writePictures(join(folder, "pictures"), 25);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const base = { ...ownChanges(small, "supervised"), method: "supervised", epochs: 3, batch: 4 };
const asked = { networks: true, testEachEpoch: true };
const said = () => ({ data, seeds: [1, 2], base, vary: [{ name: "one" }, { name: "wide", embedding: 32 }] });

test("parameters, speed and what choosing by the test part would add stand beside the results, to the same bits", async () => {
  const device = await sharedDevice();
  const plain = await runExperiment(recipeOf(said()), join(folder, "plain"), device);
  const store = join(folder, "looked");
  const { record, folder: out } = await runExperiment(recipeOf({ ...said(), ...asked }), store, device);
  expect(plain.record.variants.some((variant) => variant.network || variant.chosenByTest)).toBe(false);
  for (const [i, variant] of record.variants.entries()) {
    const { head, levels, backbone, stages, embedding } = variant.settings as never;
    const model = new QualityNetwork(device, modelOptions({ head, levels, backbone, stages, embedding }));
    const all = model.tensors().filter(({ role }) => role === "parameter");
    expect(variant.network!.parameters).toBe(all.reduce((sum, { tensor }) => sum + tensor.size, 0));
    model.dispose();
    expect(variant.network!.picturesPerSecond).toBeGreaterThan(0);
    for (const [j, run] of variant.runs.entries()) {
      expect(run.results).toEqual(plain.record.variants[i]!.runs[j]!.results);
      expect(run.epochTests!.map(({ stage, epoch }) => [stage, epoch])).toEqual([0, 1, 2].map((epoch) => [1, epoch]));
      expect(run.epochTests!.at(-1)!.srcc).toBe(run.results[0]!.srcc!);
    }
    const gains = variant.runs.map(
      ({ epochTests }) => Math.max(...epochTests!.map(({ srcc }) => srcc)) - epochTests!.at(-1)!.srcc,
    );
    expect(variant.chosenByTest!.mean).toBeCloseTo((gains[0]! + gains[1]!) / 2, 12);
  }
  const [one, wide] = record.variants;
  expect(wide!.network!.parameters).toBeGreaterThan(one!.network!.parameters);

  const markdown = await readFile(join(out, "table.md"), "utf8");
  expect(markdown).toContain("### Networks");
  expect(markdown).toMatch(
    /\| variant \| SRCC \| PLCC \| PLCC fitted .* \| parameters \| pictures\/s \| training \| by test \|/,
  );
  expect(await readFile(join(out, "experiment.html"), "utf8")).toContain("pictures/s");
  const rows = parse(await readFile(join(out, "table.csv"), "utf8"), { columns: true }) as Record<string, string>[];
  expect(Number(rows[0]!["parameters"])).toBe(one!.network!.parameters);

  // A network is looked at once.
  const again = await runExperiment(recipeOf({ ...said(), ...asked }), store, device);
  expect(again.record.variants.map(({ network }) => network)).toEqual(record.variants.map(({ network }) => network));
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { runExperiment } from "../../../models/experiments/index.ts";
import { ownChanges } from "../../../models/experiments/settings.ts";
import { sharedDevice } from "../../engine/device.ts";
import { recipeOf, small, writePictures } from "./recipe.ts";

let folder = "";
let data: Awaited<ReturnType<typeof writePictures>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-classes-"));
  data = await writePictures(join(folder, "pictures"), 24);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("folds of networks that tell classes, of scores that are cut, and of constants stand in one table, again from the store", async () => {
  const alone = { method: "supervised", epochs: 1, batch: 4, ...ownChanges(small, "supervised") };
  const recipe = recipeOf({
    data,
    seeds: [1],
    folds: 3,
    base: { strata: 2, ratio: "1:1:1", classes: 2 },
    vary: [
      { name: "classes", ...alone, head: "classes", levels: 2 },
      { name: "scores | cut", ...alone, head: "score", levels: undefined },
    ].map((row) => JSON.parse(JSON.stringify(row))),
  });
  const store = join(folder, "store");
  const first = await runExperiment(recipe, store, await sharedDevice());
  expect(first.failed).toBe(0);
  const again = await runExperiment(recipe, store, await sharedDevice());
  for (const { record } of [first, again]) {
    expect(record.repeats.map(({ fold, folds }) => [fold, folds])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    const [table, ...others] = record.classTables!;
    expect(others).toEqual([]);
    expect(table).toMatchObject({ classes: 2, eachOnce: true });
    expect(table!.counts.reduce((a, b) => a + b)).toBe(24);
    expect(table!.rows.map(({ name }) => name)).toEqual(["classes", "scores | cut", "always 0", "always 1"]);
    // What is counted over one run is what its predictions say.
    const [run] = record.variants[0]!.runs;
    const wrong = run!.predictions!.filter((row) => row.class !== row.trueClass).length;
    expect(table!.rows[0]!.maes[0]).toBeCloseTo(wrong / run!.predictions!.length, 12);
    for (const { pooled, difference } of table!.rows.slice(1)) {
      expect(pooled).toMatchObject({ n: 24, standardError: expect.any(Number) });
      expect(difference).toMatchObject({ over: "pictures", n: 24 });
    }
  }
  expect(JSON.stringify(again.record.classTables)).toBe(JSON.stringify(first.record.classTables!));
  const text = await readFile(join(first.folder, "table.md"), "utf8");
  expect(text).toContain("3 repeats (seed 1, each of 3 folds)");
  expect(text).toMatch(/^\| always [01] \(best constant\) \| 3 \| 0\.\d+ ± 0\.\d+ \|/m);
  expect(text).toContain("| scores \\| cut | 3 |");
  expect(text).toMatch(/^- Classes (beats every|does not beat always)/m);
  const rows = parse(await readFile(join(first.folder, "classes.csv"), "utf8"), { columns: true }) as Record<
    string,
    string
  >[];
  expect(rows.map(({ variant }) => variant)).toEqual(["classes", "scores | cut", "always 0", "always 1"]);
  expect(Number(rows[0]!["mae"])).toBe(first.record.classTables![0]!.rows[0]!.pooled.mean!);
  const runs = parse(await readFile(join(first.folder, "runs.csv"), "utf8"), { columns: true }) as Record<
    string,
    string
  >[];
  expect(new Set(runs.map(({ fold }) => fold))).toEqual(new Set(["1", "2", "3"]));
  expect(await readFile(join(first.folder, "experiment.html"), "utf8")).toContain("Classes of the test part");
});

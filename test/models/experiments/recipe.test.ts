import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  builtInRecipes,
  findRecipe,
  readRecipe,
  recipeJsonSchema,
  repeatsOf,
  type Source,
  settingNames,
  variantsOf,
} from "../../../models/experiments/index.ts";
import { methodOf, optionsOf } from "../../../models/experiments/settings.ts";
import { openSource } from "../../../models/experiments/sources.ts";
import { ExperimentStore } from "../../../models/experiments/store.ts";
import { cplOptionsSchema } from "../../../models/methods/cpl/options.ts";
import { planEpoch } from "../../../models/training/batches.ts";
import { blurredPictures } from "../training/pictures.ts";
import { recipeOf } from "./recipe.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-recipe-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(text: string, name = "mine.toml"): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe("a recipe", () => {
  test("weights are of backbones, or of parts that a variant names", () => {
    const said = (more: object) =>
      recipeOf({ weights: { resnet18: "a.pth", quality: "b.pth" }, vary: [{ name: "one", ...more }] });
    expect(variantsOf(said({ parts: ["quality"] }))[0]!.files).toEqual(["a.pth", "b.pth"]);
    expect(variantsOf(said({ parts: ["quality"], init: "c.pth" }))[0]!.files).toEqual(["c.pth", "b.pth"]);
    expect(() => said({})).toThrow("weights.quality: there is no such backbone or part");
    expect(variantsOf(recipeOf({ base: { parts: ["quality"] } }))[0]).toMatchObject({
      files: [],
      missing: ["quality"],
    });
  });

  test("in TOML and in JSON says the same; paths are those of its folder", async () => {
    const toml = await readRecipe(
      await fileOf(`
title = "Mine"
seeds = [1, { split = 2, training = 9 }]
[data]
folder = "pictures"
csv = "/scores.csv"
[base]
gamma = 0.9
init = "weights.safetensors"
[[vary]]
name = "all"
[[vary]]
labelNoise = { mean = 0.5, sd = 0.5 }
`),
    );
    const said = {
      title: "Mine",
      seeds: [1, { split: 2, training: 9 }],
      data: { folder: "pictures", csv: "/scores.csv" },
      base: { gamma: 0.9, init: "weights.safetensors" },
      vary: [{ name: "all" }, { labelNoise: { mean: 0.5, sd: 0.5 } }],
    };
    const json = await readRecipe(await fileOf(JSON.stringify(said), "mine.json"));
    expect(json).toEqual(toml);
    expect(toml).toMatchObject({ name: "mine", data: { folder: join(folder, "pictures"), csv: "/scores.csv" } });
    expect(repeatsOf(toml)).toEqual([
      { split: 1, training: 1 },
      { split: 2, training: 9 },
    ]);
    const [all, noisy] = variantsOf(toml);
    expect(all!.settings).toMatchObject({ gamma: 0.9, ratio: "1:3:1", init: join(folder, "weights.safetensors") });
    expect(noisy).toMatchObject({
      name: "labelNoise mean 0.5 sd 0.5",
      settings: { labelNoise: { mean: 0.5, sd: 0.5 } },
    });
  });

  test("expands rows and then a grid; each setting has the value it was given and every other its default", () => {
    const recipe = recipeOf({
      base: { gamma: 0.5, levels: 50 },
      vary: [{ name: "first", levels: 10 }],
      grid: { gamma: [0.9, 0.99], neighbours: [5, 10] },
    });
    const variants = variantsOf(recipe);
    expect(variants.map(({ name }) => name)).toEqual([
      "first",
      "gamma 0.9, neighbours 5",
      "gamma 0.9, neighbours 10",
      "gamma 0.99, neighbours 5",
      "gamma 0.99, neighbours 10",
    ]);
    expect(variants.map(({ settings: { gamma, levels, neighbours } }) => [gamma, levels, neighbours])).toEqual([
      [0.5, 10, 10],
      [0.9, 50, 5],
      [0.9, 50, 10],
      [0.99, 50, 5],
      [0.99, 50, 10],
    ]);
    expect(variantsOf(recipeOf({})).map(({ name }) => name)).toEqual(["base"]);
  });

  test("may set every option of the method but the seed", () => {
    const { seed: _, ...shape } = cplOptionsSchema.shape;
    for (const name of Object.keys(shape)) expect(settingNames()).toContain(name);
    expect(settingNames()).not.toContain("seed");
    expect(JSON.stringify(recipeJsonSchema())).toContain("labelNoise");
  });
});

describe("a wrong recipe names the key", () => {
  test.each([
    ["gama = 1", "[base]", "base.gama: there is no such key; did you mean gamma?"],
    ["gamma = 1", "[base]", "base.gamma: Too big: expected number to be <1, got 1"],
    ['labelMode = "soft"', "[[vary]]", "vary[0].labelMode: Invalid option"],
    ["gamma = 0.5", "[grid]", "grid.gamma: Invalid input: expected array, received number, got 0.5"],
    ["seed = 1", "[base]", "base.seed: there is no such key"],
    ['ratio = "1:a"', "[base]", 'base.ratio: expected two or three numbers such as 1:3:1 or 4:1, got "1:a"'],
    ["labelledShare = 0", "[base]", "base.labelledShare"],
    ["labelNoise = { mena = 1 }", "[base]", "base.labelNoise.mena: there is no such key; did you mean mean?"],
    ['moreUnlabelled = ["spaq"]', "[base]", "base.moreUnlabelled: there is no [unlabelled.spaq]; there are: none"],
    ['moreUnlabelled = [["spaq"], []]', "[grid]", "grid.moreUnlabelled: there is no [unlabelled.spaq]"],
    ['rankedd = "copies"', "[data]", "data.rankedd: there is no such key; did you mean ranked?"],
    ['ranked = "copies"', "[unlabelled.x]", "unlabelled.x.ranked: there is no such key"],
    ["rankWeight = -1", "[base]", "base.rankWeight: Too small: expected number to be >=0, got -1"],
    ['dataset = "konic"', "[data]", "data.dataset: Invalid option"],
    ["range = [5, 1]", "[data]", "data.range: the lower end comes first, got [5,1]"],
    ["titel = 1", "", "titel: there is no such key; did you mean title?"],
    ["seeds = [-1]", "", "seeds[0]: Too small: expected number to be >=0, got -1"],
    ['seeds = ["a"]', "", 'seeds[0]: expected a whole number from 0 on, or { split = 1, training = 2 }, got "a"'],
    ["seeds = []", "", "seeds: "],
    ["folds = 1", "", "folds: expected at least 2, or 0 for none, got 1"],
    ["strata = 1.5", "[base]", "base.strata: Invalid input: expected int"],
  ])("%s in %s", async (line, table, message) => {
    const text = table ? `title = "x"\n${table}\n${line}\n` : `title = "x"\n${line}\n`;
    await expect(readRecipe(await fileOf(text))).rejects.toThrow(message);
  });

  test("what does not go together is said with the variant's name", () => {
    expect(() => variantsOf(recipeOf({ vary: [{ name: "a", crop: 300 }] }))).toThrow(
      'variant "a": `crop` 300 is larger',
    );
    expect(() => variantsOf(recipeOf({ vary: [{ name: "a" }, { name: "a" }] }))).toThrow('two variants are called "a"');
    const none = recipeOf({ base: { stageOneEpochs: 0 }, vary: [{ name: "b", stageTwoEpochs: 0 }] });
    expect(() => variantsOf(none)).toThrow("both 0");
    expect(() => variantsOf(recipeOf({ folds: 5, vary: [{ name: "c", protocol: "official" }] }))).toThrow(
      'variant "c": protocol official and folds 5 both say which pictures are tested',
    );
    expect(() => repeatsOf(recipeOf({ seeds: [1, { split: 1, training: 1 }] }))).toThrow("1/1");
  });

  test("a file that is none", async () => {
    await expect(readRecipe(await fileOf("= 1"))).rejects.toThrow("is no TOML");
    await expect(readRecipe(await fileOf("{", "x.json"))).rejects.toThrow("is no JSON");
    await expect(readRecipe(join(folder, "absent.toml"))).rejects.toThrow("cannot be read");
    await expect(findRecipe("livec-ablatoin")).rejects.toThrow("did you mean livec-ablation?");
  });
});

test("the parts of KonIQ-10k in bid-koniq are those of its official split", async () => {
  const koniq = join(folder, "koniq");
  await blurredPictures(join(koniq, "1024x768"), 3);
  const rows = ["training", "validation", "test"].map((part, i) => `${i}.png,0,0,0.5,0.5,0,0.5,${part}`);
  const header = "image_name,c1,c2,c3,c4,c5,SD,set";
  await writeFile(join(koniq, "koniq10k_distributions_sets.csv"), [header, ...rows].join("\n"));
  const recipe = await findRecipe("bid-koniq");
  using store = await ExperimentStore.open(join(folder, "store"));
  const open = async (source: Source) => (await openSource("koniq", { ...source, folder: koniq }, store)).rows;
  expect((await open(recipe.unlabelled["koniq"]!)).map(({ name }) => name)).toEqual(["0.png"]);
  expect((await open(recipe.crossData["koniq"]!)).map(({ name }) => name)).toEqual(["2.png"]);
});

test("what is of a CSV is refused where there is none", async () => {
  using store = await ExperimentStore.open(join(folder, "store"));
  const open = (source: Source) => openSource("data", { folder, ...source }, store);
  await expect(open({ dataset: "livec", lowerIsBetter: true })).rejects.toThrow(
    "data: lowerIsBetter would say how to read",
  );
  await expect(open({ range: [0, 1] })).rejects.toThrow("but none is given (csv)");
});

test("every built-in recipe expands", async () => {
  const recipes = await builtInRecipes();
  expect(recipes.map(({ name }) => name)).toContain("livec-ablation");
  for (const recipe of recipes) {
    expect(variantsOf(recipe).length).toBeGreaterThan(1);
    expect(repeatsOf(recipe).length).toBeGreaterThan(1);
  }
});

test("livec-classes trains every method for as many steps, on folds with their share of every class", async () => {
  const recipe = await findRecipe("livec-classes");
  expect(repeatsOf(recipe).map(({ fold }) => fold)).toEqual([1, 2, 3, 4, 5]);
  const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `${i}`, path: `${i}` }));
  const parts = { labelled: rows(186), unlabelled: rows(1757) };
  for (const { name, settings } of variantsOf(recipe)) {
    expect(settings).toMatchObject({ strata: 5, classes: 5, frozen: 10, crop: 224 });
    const options = optionsOf(settings, 1);
    const steps = methodOf(settings.method)
      .phases(options)
      .map((phase, i) => phase.epochs * planEpoch({ ...phase, stage: i + 1 }, 0, parts, options as never).length);
    const whole = name === "supervised, as long" ? 144 : 48;
    // What is left of the labelled pictures is less than half a batch, which supervised learning leaves out.
    for (const count of steps) expect([whole, (whole * 23) / 24]).toContain(count);
  }
});

import { basename, dirname, extname, resolve } from "node:path";
import { parse as parseToml } from "smol-toml";
import { z } from "zod";
import { nearest } from "../../engine/nearest.ts";
import { FileError, jsonOf, readText } from "../../engine/weights/files.ts";
import { backboneNames } from "../backbones/index.ts";
import { classicMethods } from "../classic/scorer.ts";
import { knownSets } from "../data/index.ts";
import { methodIn, settingFields, settingNames } from "./settings.ts";

/** A recipe that means nothing: says which key is wrong, with its value, and what is allowed. */
export class RecipeError extends Error {
  override name = "RecipeError";
}

const columnNames = z.strictObject({
  name: z.string().optional(),
  mos: z.string().optional(),
  sd: z.string().optional(),
  group: z.string().optional(),
  split: z.string().optional(),
});

const source = z.strictObject({
  dataset: z
    .enum(Object.keys(knownSets) as [string, ...string[]])
    .optional()
    .describe("a data set known by name"),
  folder: z.string().optional().describe("folder of its pictures, relative to the recipe's"),
  csv: z.string().optional().describe("file of names and scores, when it is no known data set"),
  range: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, "the lower end comes first")
    .optional()
    .describe("nominal ends of the MOS scale"),
  lowerIsBetter: z.boolean().optional().describe("the scores are a DMOS: turned round within the range"),
  columns: columnNames.optional().describe("columns of the CSV that are not recognised"),
  exclude: z
    .array(z.strictObject({ column: z.string(), value: z.string() }))
    .optional()
    .describe("rows that are left out"),
});

/** What is divided into parts, and may be trained on with ranked copies. */
const mainSource = source.extend({
  ranked: z
    .string()
    .optional()
    .describe(
      "folder of copies made by `acutance data degrade --ranked`, of these pictures or others; those of validation and test pictures are left out",
    ),
});

const formula = z.strictObject({
  name: z.string().min(1).optional().describe("of the row"),
  method: z.enum(classicMethods).describe("as in `acutance score --method`"),
  parameters: z.string().optional().describe("file of its parameters, relative to the recipe's folder"),
  featureRange: z.string().optional().describe("file of the scaling of features, with a LIBSVM model of BRISQUE"),
});

const seed = z.number().int().min(0);
const change = z.strictObject(settingFields);

/** What a recipe file may say. */
export const recipeSchema = z.strictObject({
  title: z.string().min(1).describe("heading of the tables"),
  description: z.string().optional().describe("what is compared, and what the paper reports"),
  data: mainSource.default({}).describe("the data set that is split into labelled, unlabelled and test parts"),
  unlabelled: z
    .record(z.string(), source)
    .default({})
    .describe("further pictures without scores, which the setting moreUnlabelled takes by name"),
  crossData: z
    .record(z.string(), source)
    .default({})
    .describe("rated data sets that every final model is tested on as it is"),
  weights: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      "weights files: of each backbone by its name, for variants that do not set init; and of parts of networks by the names that the setting parts has",
    ),
  seeds: z
    .array(
      z.union([seed, z.strictObject({ split: seed, training: seed })], {
        error: "expected a whole number from 0 on, or { split = 1, training = 2 }",
      }),
    )
    .min(1)
    .default([1, 2, 3])
    .describe("one repeat each: a seed of both split and training, or one of each"),
  folds: z
    .number()
    .int()
    .refine((count) => count === 0 || count >= 2, "expected at least 2, or 0 for none")
    .default(0)
    .describe(
      "each seed makes so many repeats: one for each of so many folds of the data set, which is its test part, so that each picture is tested once; 0 for none",
    ),
  testEachEpoch: z
    .boolean()
    .default(false)
    .describe(
      "score the test part after each epoch, to tell what choosing the epoch by it would add; nothing is chosen by it",
    ),
  networks: z
    .boolean()
    .default(false)
    .describe(
      "tell the parameters of each variant's network and the pictures that it takes in a second on this adapter",
    ),
  base: change.default({}).describe("settings of all variants"),
  vary: z
    .array(z.strictObject({ name: z.string().min(1).optional(), ...settingFields }))
    .default([])
    .describe("variants: a name and the settings that differ from base; the first is the baseline"),
  formulas: z
    .array(formula)
    .default([])
    .describe(
      "rows that score by a formula and are not trained; without parameters, which --parameters gives, the row says so",
    ),
  grid: z
    .strictObject(
      Object.fromEntries(
        Object.entries(settingFields).map(([name, field]) => [name, z.array(field).min(1).optional()]),
      ),
    )
    .default({})
    .describe("further variants: every combination of the values of these settings"),
});

export type Source = z.infer<typeof mainSource>;

/** A recipe as read, checked, with defaults filled in. */
export interface Recipe extends z.infer<typeof recipeSchema> {
  /** Of the built-in recipe, or of its file without the extension. */
  readonly name: string;
}

/** The JSON Schema of recipe files, for editors. */
export function recipeJsonSchema(): unknown {
  return z.toJSONSchema(recipeSchema, { io: "input" });
}

/**
 * Reads a recipe file: TOML, or JSON when its name ends so. Folders and files it names are relative to its own folder.
 * @throws RecipeError when it cannot be read, or naming every key that is wrong
 */
export async function readRecipe(path: string): Promise<Recipe> {
  const text = await readText(path).catch((cause: Error) => {
    throw new RecipeError(`the recipe ${cause.message}`, { cause });
  });
  const extension = extname(path);
  const recipe = checkRecipe(parse(text, path, extension), path);
  return { ...atFolder(recipe, dirname(path)), name: basename(path, extension) };
}

function parse(text: string, path: string, extension: string): unknown {
  try {
    return extension.toLowerCase() === ".json" ? jsonOf(text, path) : parseToml(text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new RecipeError(
      cause instanceof FileError
        ? `the recipe ${message}`
        : `the recipe ${path} is no TOML; mend this line: ${message}`,
    );
  }
}

/**
 * Checks what a recipe says and fills in defaults.
 * @param from stands for the recipe in messages
 * @throws RecipeError naming every key that is wrong
 */
export function checkRecipe(said: unknown, from: string): Omit<Recipe, "name"> {
  const result = recipeSchema.safeParse(said);
  if (!result.success) throw new RecipeError(problemsOf(result.error, said, from));
  const recipe = result.data;
  const foreign = foreignSettings(recipe);
  if (foreign.length > 0) throw new RecipeError(noRecipe(from, foreign));
  const given = (each: object) => (each as { moreUnlabelled?: string[] }).moreUnlabelled ?? [];
  for (const [where, names] of [
    ["base", given(recipe.base)] as const,
    ...recipe.vary.map((row, i) => [`vary[${i}]`, given(row)] as const),
    ["grid", given(recipe.grid).flat()] as const,
  ]) {
    const unknown = names.find((name) => !Object.hasOwn(recipe.unlabelled, name));
    if (unknown !== undefined) {
      const known = Object.keys(recipe.unlabelled).join(", ") || "none";
      throw new RecipeError(
        `${from}: ${where}.moreUnlabelled: there is no [unlabelled.${unknown}]; there are: ${known}`,
      );
    }
  }
  // Parsing puts keys in the order of the schema; names and combinations go by that of the file.
  expectWeights(recipe, from);
  const written = said as { readonly vary?: readonly object[]; readonly grid?: object };
  return {
    ...recipe,
    vary: recipe.vary.map((row, i) => inOrderOf(row, written.vary![i]!)),
    grid: inOrderOf(recipe.grid, written.grid ?? {}),
  };
}

/** @throws RecipeError when a weights file is of no backbone, and of no part that a variant names */
function expectWeights({ weights, base, vary, grid }: z.infer<typeof recipeSchema>, from: string): void {
  const partsOf = (each: object) => (each as { parts?: string[] }).parts ?? [];
  const parts = new Set([...[base, ...vary].flatMap(partsOf), ...partsOf(grid).flat()]);
  const known = [...backboneNames, ...parts];
  const unknown = Object.keys(weights).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new RecipeError(noRecipe(from, [noSuch(["weights", unknown], "there is no such backbone or part", known)]));
}

function inOrderOf<T extends object>(parsed: T, written: object): T {
  return Object.fromEntries(Object.keys(written).map((key) => [key, parsed[key as keyof T]])) as T;
}

function problemsOf(error: z.ZodError, said: unknown, from: string): string {
  const lines = error.issues.flatMap((issue) => {
    const where = pathOf(issue.path);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => noSuch([...issue.path, key], "there is no such key", keysAt(issue.path, said)));
    }
    const value = valueAt(said, issue.path);
    const got = value === undefined ? "" : `, got ${JSON.stringify(value)}`;
    return [`${where || "recipe"}: ${issue.message}${got}`];
  });
  return noRecipe(from, lines);
}

function noRecipe(from: string, lines: readonly string[]): string {
  return `${from} is no recipe:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function noSuch(path: readonly PropertyKey[], what: string, known: readonly string[]): string {
  const near = nearest(String(path.at(-1)), known);
  return `${pathOf(path)}: ${what}${near ? `; did you mean ${near}?` : ""}`;
}

/** Settings that no method has at the place where they stand, each with the nearest that there is. */
function foreignSettings(recipe: Pick<Recipe, "base" | "vary" | "grid">): string[] {
  const places = [["base"], ...recipe.vary.keys().map((i) => ["vary", i]), ["grid"]];
  return places.flatMap((path) => {
    const [methods, known] = [methodsAt(path, recipe), keysAt(path, recipe)];
    const foreign = Object.keys(valueAt(recipe, path) as object).filter((key) => !known.includes(key));
    return foreign.map((key) => noSuch([...path, key], `${methods.join(" and ")} has no such option`, known));
  });
}

/** The methods that base, a row or the grid of a recipe is for. */
function methodsAt([first, index]: readonly PropertyKey[], said: unknown): string[] {
  const { base, vary, grid } = said as { base?: object; vary?: object[]; grid?: { method?: string[] } };
  const rows = Array.isArray(vary) ? vary.map((row) => methodIn({ ...base, ...row })) : [];
  const inGrid = Array.isArray(grid?.method) ? grid.method : [methodIn({ ...base })];
  if (first === "vary") return rows.slice(Number(index), Number(index) + 1);
  if (first === "grid") return inGrid;
  return [...new Set([...rows, ...(rows.length === 0 || Object.keys(grid ?? {}).length > 0 ? inGrid : [])])];
}

/** Keys that are known where a recipe has an unknown one. */
function keysAt(path: readonly PropertyKey[], said: unknown): string[] {
  const [first] = path;
  if (first === undefined) return Object.keys(recipeSchema.shape);
  if (first === "data" || first === "unlabelled" || first === "crossData") {
    if (path.at(-1) === "columns") return Object.keys(columnNames.shape);
    return Object.keys(first === "data" ? mainSource.shape : source.shape);
  }
  if (first === "formulas") return Object.keys(formula.shape);
  if (path.at(-1) === "labelNoise") return ["mean", "sd"];
  const names = methodsAt(path, said).flatMap((method) => settingNames(method));
  return first === "vary" ? ["name", ...names] : names;
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === "number" ? `${text}[${step}]` : `${text}${text && "."}${String(step)}`),
    "",
  );
}

function valueAt(said: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step], said);
}

/** Paths of the recipe made absolute, seen from its folder. */
function atFolder(recipe: Omit<Recipe, "name">, folder: string): Omit<Recipe, "name"> {
  const place = (path: string | undefined) => (path ? resolve(folder, path) : path);
  const placed = (given: Source): Source => ({
    ...given,
    ...(given.folder && { folder: place(given.folder)! }),
    ...(given.csv && { csv: place(given.csv)! }),
    ...(given.ranked && { ranked: place(given.ranked)! }),
  });
  const all = (sources: Record<string, Source>) =>
    Object.fromEntries(Object.entries(sources).map(([name, given]) => [name, placed(given)]));
  const started = <T extends object>(each: T): T =>
    "init" in each && each.init ? { ...each, init: place(each.init as string) } : each;
  return {
    ...recipe,
    data: placed(recipe.data),
    unlabelled: all(recipe.unlabelled),
    crossData: all(recipe.crossData),
    weights: Object.fromEntries(Object.entries(recipe.weights).map(([name, path]) => [name, place(path)!])),
    formulas: recipe.formulas.map(({ parameters, featureRange, ...row }) => ({
      ...row,
      ...(parameters !== undefined && { parameters: place(parameters)! }),
      ...(featureRange !== undefined && { featureRange: place(featureRange)! }),
    })),
    base: started(recipe.base),
    vary: recipe.vary.map(started),
    grid:
      "init" in recipe.grid
        ? { ...recipe.grid, init: (recipe.grid.init as string[]).map((path) => place(path)) }
        : recipe.grid,
  };
}

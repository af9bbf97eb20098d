import type { Repeat } from "../report/experiment/experiment-record.ts";
import { canonicalJson } from "./key.ts";
import { type Recipe, RecipeError } from "./recipe.ts";
import { type Changes, methodIn, methodOf, optionsOf, ownChanges, type Settings, settingsOf } from "./settings.ts";

/** One column of settings to compare. */
export interface Variant {
  readonly name: string;
  /** What differs from the recipe's base. */
  readonly changes: Changes;
  readonly settings: Settings;
  /** Weights files that its network starts from. */
  readonly files: readonly string[];
  /** Parts whose weights file was not given. */
  readonly missing: readonly string[];
}

/**
 * The variants of a recipe: its rows, then every combination of its grid; the base alone when it has neither. Base and grid say
 * of each method what it has options for; combinations that are then equal are one.
 * @throws RecipeError when two have one name, one has settings that do not go together, or one trains nothing
 */
export function variantsOf({ name: recipe, folds, base, vary, grid, weights }: Recipe): Variant[] {
  const rows = vary.map(({ name, ...changes }) => ({ name: (name as string) ?? titleOf(changes), changes }));
  const all = [...rows, ...pointsOf(grid as Record<string, unknown[]>, base)];
  if (all.length === 0) all.push({ name: "base", changes: {} });
  const seen = new Set<string>();
  const variants = all.map(({ name, changes }) => {
    if (seen.has(name))
      throw new RecipeError(`${recipe}: two variants are called "${name}"; give each a name of its own`);
    seen.add(name);
    try {
      const said: Changes = { ...ownChanges(base, methodIn({ ...base, ...changes })), ...changes };
      const own = weights[settingsOf(said).backbone];
      const settings = settingsOf(said.init === undefined && own ? { ...said, init: own } : said);
      if (folds > 0 && settings.protocol !== "random")
        throw new RecipeError(
          `protocol ${settings.protocol} and folds ${folds} both say which pictures are tested; leave one of them out`,
        );
      const phases = methodOf(settings.method).phases(optionsOf(settings, 0));
      if (phases.every(({ epochs }) => epochs === 0)) {
        const names = phases.flatMap(({ epochsOption }) => epochsOption ?? []).join(" and ");
        throw new RecipeError(`${names} are ${phases.length === 2 ? "both" : "all"} 0: nothing would be trained`);
      }
      return { name, changes, settings, ...filesOf(settings, weights) };
    } catch (error) {
      throw new RecipeError(`${recipe}: variant "${name}": ${(error as Error).message}`, { cause: error });
    }
  });
  for (const variant of variants) expectLinks(recipe, variant, variants);
  return variants;
}

function filesOf({ init, parts }: Settings, weights: Recipe["weights"]): Pick<Variant, "files" | "missing"> {
  return {
    files: [...(init ? [init] : []), ...parts.flatMap((part) => weights[part] ?? [])],
    missing: parts.filter((part) => !weights[part]),
  };
}

/** Settings that name another variant, and what cannot be when they come back to their own. */
const links = {
  labelledBy: "no variant can be labelled by itself, by way of others or not",
  asLongAs: "no variant can be as long as itself, by way of others or not",
} as const;

/** @throws RecipeError when a variant names one that there is not, or in the end itself */
function expectLinks(recipe: string, variant: Variant, all: readonly Variant[], seen: readonly string[] = []): void {
  for (const [link, circular] of Object.entries(links)) {
    const wanted = variant.settings[link as keyof typeof links];
    if (wanted === "") continue;
    const wrong = (why: string) => new RecipeError(`${recipe}: variant "${variant.name}": ${link} "${wanted}": ${why}`);
    const other = all.find(({ name }) => name === wanted);
    if (!other) throw wrong(`there is no such variant; there are: ${all.map(({ name }) => name).join("; ")}`);
    if (wanted === variant.name || seen.includes(wanted)) throw wrong(circular);
    expectLinks(recipe, other, all, [...seen, variant.name]);
  }
}

/** The repeats of a recipe: of each seed one, or one for each fold. @throws RecipeError when two are the same */
export function repeatsOf({ name, seeds, folds }: Recipe): Repeat[] {
  const repeats = seeds.map((seed) => (typeof seed === "number" ? { split: seed, training: seed } : seed));
  const texts = repeats.map(({ split, training }) => `${split}/${training}`);
  const twin = texts.find((text, i) => texts.indexOf(text) !== i);
  if (twin) throw new RecipeError(`${name}: seeds: the repeat ${twin} (split/training) is there twice`);
  if (folds === 0) return repeats;
  return repeats.flatMap((repeat) => Array.from({ length: folds }, (_, i) => ({ ...repeat, fold: i + 1, folds })));
}

/** Every combination of one value for each key; the last key turns fastest. */
function combinations(axes: Readonly<Record<string, readonly unknown[]>>): Record<string, unknown>[] {
  const entries = Object.entries(axes);
  if (entries.length === 0) return [];
  return entries.reduce<Record<string, unknown>[]>(
    (points, [key, values]) => points.flatMap((point) => values.map((value) => ({ ...point, [key]: value }))),
    [{}],
  );
}

/** The variants of a grid: each method has the settings that it has options for. */
function pointsOf(
  grid: Readonly<Record<string, readonly unknown[]>>,
  base: Changes,
): { name: string; changes: Changes }[] {
  const points = combinations(grid).map((changes) => ownChanges(changes, methodIn({ ...base, ...changes })));
  const different = new Map(points.map((changes) => [canonicalJson(changes), changes]));
  return [...different.values()].map((changes) => ({ name: titleOf(changes), changes }));
}

/** "supervised, gamma 0.5, neighbours 20": changes as a name. */
function titleOf(changes: Changes): string {
  const words = Object.entries(changes).map(([key, value]) => (key === "method" ? value : `${key} ${wordOf(value)}`));
  return words.join(", ") || "base";
}

function wordOf(value: unknown): string {
  if (Array.isArray(value)) return value.length > 0 ? value.join(" + ") : "none";
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([key, each]) => `${key} ${each}`)
      .join(" ");
  }
  return String(value) || "none";
}

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nearest } from "../../engine/nearest.ts";
import { type Recipe, RecipeError, readRecipe } from "./recipe.ts";

const folder = fileURLToPath(new URL("./recipes/", import.meta.url));

/** The recipes that come with the package, by name. */
export async function builtInRecipes(): Promise<Recipe[]> {
  return Promise.all((await builtInNames()).map((name) => readRecipe(join(folder, `${name}.toml`))));
}

async function builtInNames(): Promise<string[]> {
  const files = await readdir(folder);
  return files.flatMap((file) => (file.endsWith(".toml") ? [file.slice(0, -".toml".length)] : [])).sort();
}

/**
 * The recipe that a word means: a file's when it looks like one or is there, else a built-in one's.
 * @throws RecipeError when there is none, with the nearest name
 */
export async function findRecipe(word: string): Promise<Recipe> {
  if (/\.(toml|json)$/i.test(word) || (/[/\\]/.test(word) && existsSync(word))) return readRecipe(word);
  const names = await builtInNames();
  if (names.includes(word)) return readRecipe(join(folder, `${word}.toml`));
  const near = nearest(word, names);
  throw new RecipeError(
    `there is no recipe "${word}"${near ? `; did you mean ${near}?` : ""}. Give a .toml or .json file, or one of: ${names.join(", ")}`,
  );
}

import { readFileSync } from "node:fs";

const folder = new URL("./node_modules/", import.meta.url);

/**
 * Imports a rival's package. The name is not seen by the type checker, which runs without the rivals; `T` is the part
 * of the package that is used.
 */
export async function importRival<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}

/** The version of an installed package of this folder. */
export function rivalVersion(name: string): string {
  return JSON.parse(readFileSync(new URL(`${name}/package.json`, folder), "utf8")).version;
}

import { readSplit } from "../models/data/index.ts";

/**
 * Names in one part of a split file, and the part of every picture.
 * @throws Error naming the parts that there are
 */
export async function partNames(
  path: string,
  part: string,
): Promise<{
  names: Set<string>;
  parts: ReadonlyMap<string, string>;
  run: string | undefined;
}> {
  const { parts, run } = await readSplit(path);
  const names = new Set([...parts].flatMap(([name, own]) => (own === part ? [name] : [])));
  if (names.size > 0) return { names, parts, run };
  throw new Error(`${path} has no picture in part "${part}"; its parts: ${[...new Set(parts.values())].join(", ")}`);
}

import { readSplit } from "../models/data/index.ts";
import { sameSplit } from "../models/training/run-id.ts";

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

export interface OwnSplitFlags {
  readonly model: string;
  readonly split?: string;
  readonly anySplit?: boolean;
}

/** @throws Error when the split is that of a model trained on other parts: its test pictures may have been trained on */
export function expectOwnSplit(
  { model, split, anySplit }: OwnSplitFlags,
  trained: string | undefined,
  given: string | undefined,
) {
  if (trained === undefined || given === undefined) {
    const what = trained === undefined ? model : split;
    console.error(`note: ${what} does not say which run it belongs to, so the split may not be that of the model`);
  } else if (!sameSplit(trained, given)) {
    const what = `${split} belongs to the run ${given}, ${model} to the run ${trained} with other parts: pictures tested on may have been trained on`;
    if (!anySplit)
      throw new Error(`${what}; give the split.csv beside the model, or --any-split to go on all the same`);
    console.error(`note: ${what}`);
  }
}

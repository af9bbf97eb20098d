import { dirname, join, resolve } from "node:path";
import { type Dataset, loadDataset, loadFolder, loadKnownSet, type Row } from "../models/data/index.ts";
import {
  checkPictures,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  optionWords,
  rangeOf,
  reportDataset,
  reportLeftOut,
} from "./data-options.ts";

/** Pictures beside those of the data set. */
interface FurtherPictures extends DataOptions, DecodingOptions {
  readonly unlabelled?: string;
  readonly unlabelledSet?: string;
  readonly extraLabels?: string;
  readonly protocol: "random" | "official" | "folds";
  readonly check: boolean;
}

/** The pictures of `--unlabelled`, whose scores are not looked at. */
export async function extraPictures(flags: FurtherPictures, signal: AbortSignal): Promise<Row[]> {
  const { unlabelled, unlabelledSet: set, check } = flags;
  if (!unlabelled) {
    if (set) throw new Error(`--unlabelled-set ${set}: --unlabelled does not say in which folder it is`);
    return [];
  }
  const folder = set ? await loadKnownSet(set, unlabelled, { words: optionWords }) : await loadFolder(unlabelled);
  reportLeftOut(folder);
  const { rows } = check ? await checkPictures(folder, decodingOf(flags), signal) : folder;
  // Names are unique within a run: those of the folder get its name in front.
  return rows.map(({ name, path }) => ({ name: join(unlabelled, name), path }));
}

/**
 * The rated pictures of `--extra-labels`, on the scale of the data set that they join. In an official split, those of which
 * their file does not say the part are trained on.
 * @throws Error when one of them is in the data set
 */
export async function extraLabels(dataset: Dataset, flags: FurtherPictures, signal: AbortSignal): Promise<Row[]> {
  const { extraLabels: csv, check, lowerIsBetter, protocol } = flags;
  if (!csv) return [];
  const folder = dirname(csv);
  const scale = { range: rangeOf(dataset), ...(lowerIsBetter && { lowerIsBetter }) };
  let extra = await loadDataset({ folder, csv, ...scale, words: { ...optionWords, folder: "--extra-labels" } });
  if (check) extra = await checkPictures(extra, decodingOf(flags), signal);
  reportDataset(extra);
  const known = new Set(dataset.rows.map(({ path }) => resolve(path)));
  const twin = extra.rows.find(({ path }) => known.has(resolve(path)));
  if (twin) throw new Error(`--extra-labels rates ${twin.name}, which is in --data; leave its line out of ${csv}`);
  return extra.rows.map((row) => ({
    ...row,
    name: `${folder}/${row.name}`,
    ...(protocol === "official" && row.split === undefined && row.mos !== undefined && { split: "training" }),
  }));
}

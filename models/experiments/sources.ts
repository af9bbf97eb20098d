import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  checkPicture,
  type Dataset,
  DatasetError,
  loadDataset,
  loadFolder,
  loadKnownSet,
  prefetch,
  problemLines,
  type RankedPicture,
  type RankedSet,
  type Row,
  rankedSets,
  ratedRows,
} from "../data/index.ts";
import type { ProgressSink } from "../training/training.ts";
import { RecipeError, type Source } from "./recipe.ts";
import type { ExperimentStore, FileContent } from "./store.ts";

/** What is known of a file that was read. */
interface Hashed {
  readonly sha256: string;
}

/** A picture of a data set, with the content of its file. */
export type HashedRow = Row & Hashed;

/** A ranked set, with the contents of its files. */
export type HashedSet = RankedSet<RankedPicture & Hashed>;

export interface OpenedSource extends Omit<Dataset, "rows"> {
  readonly rows: readonly HashedRow[];
  /** Degraded copies to train with the ranks of. */
  readonly ranked: readonly HashedSet[];
  /** Whether its groups are to be kept together unless said otherwise. */
  readonly grouped: boolean;
}

export interface SourceHooks {
  readonly progress?: (label: string, total: number) => ProgressSink;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Opens a data set of a recipe: reads its scores, hashes every picture's file and leaves out the pictures that cannot be
 * decoded. What is known of a file that has kept size and time since an earlier call is taken from the store.
 * @param called name of the source in the recipe, for messages
 * @throws RecipeError when it does not say where its pictures are, or says what is not looked at; DatasetError; the signal's
 * reason
 */
export async function openSource(
  called: string,
  source: Source,
  store: ExperimentStore,
  hooks: SourceHooks = {},
): Promise<OpenedSource> {
  const dataset = await load(called, source);
  const { rows, broken } = await hashed(called, dataset.rows, store, hooks);
  if (rows.length === 0) throw new DatasetError(`None of the pictures of ${called} can be decoded.`);
  const sets = source.ranked ? await rankedSets(source.ranked) : [];
  const copies = await hashed(`ranked copies of ${called}`, picturesOf(sets), store, hooks);
  const ranked = setsOf(sets, copies.rows);
  const problems = [...dataset.problems, ...broken, ...copies.broken];
  const scale = dataset.range ? `, MOS scale [${dataset.range.join(", ")}] (${dataset.rangeSource})` : "";
  const and = ranked.length > 0 ? `, ${ranked.length} ranked sets of copies` : "";
  hooks.log?.(
    `${called}: ${rows.length} pictures${and}${scale}${problems.length > 0 ? `, ${problems.length} left out` : ""}`,
  );
  for (const line of problemLines(problems, shownProblems)) hooks.log?.(`left out: ${line}`);
  for (const warning of dataset.warnings) hooks.log?.(`note: ${warning}`);
  // Groups of a known data set are there to be kept together; those of a CSV when its column is named.
  const known = source.dataset !== undefined && ratedRows(rows).every(({ group }) => group !== undefined);
  return { ...dataset, rows, ranked, problems, grouped: known || source.columns?.group !== undefined };
}

/** The pictures of ranked sets, each once: the undegraded one of a source is in all its sets. */
function picturesOf(sets: readonly RankedSet[]): RankedPicture[] {
  return [...new Map(sets.flatMap(({ pictures }) => pictures.map((picture) => [picture.path, picture]))).values()];
}

/** The sets of the pictures that can be decoded. */
function setsOf(sets: readonly RankedSet[], pictures: readonly (RankedPicture & Hashed)[]): HashedSet[] {
  const known = new Map(pictures.map((picture) => [picture.path, picture]));
  return sets
    .map(({ source, pictures }) => ({ source, pictures: pictures.flatMap(({ path }) => known.get(path) ?? []) }))
    .filter((set) => set.pictures.length > 1);
}

/** Problems told in full at most; of the others the lines are named. */
const shownProblems = 10;

async function load(called: string, { dataset, folder, csv, ranked: _, ...rest }: Source): Promise<Dataset> {
  if (!folder) {
    const what = dataset ? `the folder of its pictures (${dataset})` : "the folder of its pictures";
    const flag = called === "data" ? "--data FOLDER" : `--folder ${called}=FOLDER`;
    throw new RecipeError(`${called} does not say ${what}; give it with ${flag}`);
  }
  const { range, exclude, lowerIsBetter, columns } = rest;
  const common = { ...(range && { range }), ...(exclude && { exclude }) };
  if (dataset && csv)
    throw new RecipeError(`${called} names both the data set ${dataset} and the CSV ${csv}; give one`);
  const ignored = Object.keys(rest).filter((key) => (dataset ? key === "lowerIsBetter" || key === "columns" : !csv));
  if (ignored.length > 0) {
    const why = dataset ? `${dataset} has its own scores` : "none is given (csv)";
    throw new RecipeError(`${called}: ${ignored.join(", ")} would say how to read a CSV, but ${why}`);
  }
  if (dataset) return loadKnownSet(dataset, folder, common);
  if (!csv) return loadFolder(folder);
  const chosen = Object.fromEntries(Object.entries(columns ?? {}).filter(([, name]) => name !== undefined));
  return loadDataset({ folder, csv, columns: chosen, ...common, ...(lowerIsBetter && { lowerIsBetter }) });
}

async function hashed<Each extends Row>(
  called: string,
  all: readonly Each[],
  store: ExperimentStore,
  { progress, signal }: SourceHooks,
) {
  const rows: (Each & Hashed)[] = [];
  const broken: Dataset["problems"][number][] = [];
  let bar: ProgressSink | undefined;
  try {
    for await (const { item: row, ...read } of prefetch(all, ({ path }) => contentOf(path, store), {
      ...{ ahead: 8, concurrency: 4 },
      ...(signal && { signal }),
    })) {
      if (!read.ok) throw read.error;
      const { sha256, problem, fresh } = read.value;
      if (fresh) {
        bar ??= progress?.(`${called}: checking pictures`, all.length);
        store.rememberFile(read.value);
      }
      bar?.advance();
      if (problem === undefined) rows.push({ ...row, sha256 });
      else broken.push({ kind: "picture", name: row.name, detail: problem });
    }
  } finally {
    bar?.stop();
  }
  return { rows, broken };
}

async function contentOf(given: string, store: ExperimentStore): Promise<FileContent & { fresh: boolean }> {
  const path = resolve(given);
  const info = await stat(path).catch((error: Error) => error);
  if (info instanceof Error)
    return { ...{ path, bytes: 0, modifiedMs: 0, sha256: "" }, problem: info.message, fresh: false };
  const { size: bytes, mtimeMs: modifiedMs } = info;
  const known = store.knownFile(path);
  if (known && known.bytes === bytes && known.modifiedMs === modifiedMs) return { ...known, fresh: false };
  const check = await checkPicture(path);
  const problem = check.ok ? undefined : check.error.message;
  return { path, bytes, modifiedMs, sha256: await hashFile(path), problem, fresh: true };
}

/** SHA-256 of a file's bytes, in hexadecimal. @throws the system's error */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

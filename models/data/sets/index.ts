import { expectNames } from "../../../engine/arguments.ts";
import { type Dataset, type DatasetOptions, datasetFrom } from "../dataset.ts";
import { DatasetError } from "../problems.ts";
import { checkRange } from "../range.ts";
import type { Columns } from "../tables/columns.ts";
import type { Table } from "../tables/table.ts";
import { bid, cid2013, flive, flivePatches, koniq, livec, nnid, spaq } from "./authentic.ts";
import type { Entry, SetDescription } from "./catalogue.ts";
import { kadid, kadis, kadisPristine, tid2013 } from "./distorted.ts";
import { SetFiles } from "./files.ts";
import { koka10k } from "./koka.ts";

export type { SetDescription } from "./catalogue.ts";

/** The data sets that are known by name. */
export const knownSets: Readonly<Record<string, SetDescription>> = {
  koniq,
  spaq,
  livec,
  bid,
  nnid,
  cid2013,
  flive,
  "flive-patches": flivePatches,
  kadid,
  kadis,
  "kadis-pristine": kadisPristine,
  tid2013,
  koka10k,
};

export type KnownSetOptions = Pick<DatasetOptions, "range" | "exclude" | "words">;

const names = { range: true, exclude: true, words: true } satisfies Record<keyof KnownSetOptions, true>;

/**
 * Reads a known data set from the folder its files were unpacked to, as its authors distribute them. Scores of which lower
 * is better are turned round, so that in the rows higher is always better.
 * @param name a key of `knownSets`
 * @param options `range` replaces the nominal range; `exclude` knows the columns name, mos, sd, group, split
 * @throws DatasetError when the set is not known, a file is missing (with where to get it), or no row is left
 */
export async function loadKnownSet(name: string, folder: string, options: KnownSetOptions = {}): Promise<Dataset> {
  expectNames("loadKnownSet", options, names);
  const set = Object.hasOwn(knownSets, name) ? knownSets[name] : undefined;
  if (!set) {
    throw new DatasetError(`No data set is known as "${name}"; known are ${Object.keys(knownSets).join(", ")}.`);
  }
  const range = options.range ?? set.range;
  if (range) checkRange(range);
  const files = await SetFiles.open(folder, `${set.title} needs: ${set.layout}. It can be had at ${set.source}.`);
  const entries = await set.read(files);
  const { table, columns } = tableOf(entries);
  const dataset = datasetFrom({
    ...options,
    table,
    columns,
    source: set.title,
    finder: await files.pictures(set.pictureFolders ?? []),
    ...(range && { range }),
    lowerIsBetter: set.direction === "lower is better",
  });
  return { ...dataset, warnings: [...dataset.warnings, ...shortcomings(set, entries)] };
}

function shortcomings(set: SetDescription, entries: readonly Entry[]): string[] {
  const warnings: string[] = [];
  if (entries.length < set.size && set.direction) {
    warnings.push(`The score files list ${entries.length} pictures; the complete ${set.title} has ${set.size}.`);
  }
  if (set.officialSplit && entries.every((entry) => !entry.split)) {
    warnings.push(`The official split of ${set.title} is not at hand; the files: ${set.layout}.`);
  }
  return warnings;
}

/** Entries as a table with a column for every field that occurs. */
function tableOf(entries: readonly Entry[]): { table: Table; columns: Columns } {
  const has = (field: keyof Entry) => entries.some((entry) => entry[field] !== undefined && entry[field] !== "");
  const fields = (["name", "mos", "sd", "group", "split"] as const).filter((field) => field === "name" || has(field));
  const bins = Math.max(0, ...entries.slice(0, 1).map((entry) => entry.histogram?.length ?? 0));
  const histogram = Array.from({ length: bins }, (_, i) => `c${i + 1}`);
  const records = entries.map((entry, i) => ({
    fields: [
      ...fields.map((field) => String(entry[field] ?? "")),
      ...histogram.map((_, bin) => String(entry.histogram?.[bin])),
    ],
    line: entry.line ?? i + 1,
  }));
  const columns: Columns = {
    ...Object.fromEntries(fields.map((field) => [field, field])),
    name: "name",
    ...(bins > 0 && { histogram }),
  };
  return { table: { header: [...fields, ...histogram], records, problems: [], warnings: [] }, columns };
}

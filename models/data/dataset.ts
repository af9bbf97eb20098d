import { dirname, join } from "node:path";
import { expectNames } from "../../engine/arguments.ts";
import { printable } from "./files/file-name.ts";
import { type LeftOut, listFolder, passedOverWords } from "./files/folder.ts";
import { PictureFinder } from "./files/picture-finder.ts";
import { libraryWords, type OptionWords } from "./option-words.ts";
import { DatasetError, type Problem } from "./problems.ts";
import { checkRange, type MosRange, observedRange } from "./range.ts";
import { foundPictures, type Row, RowReader } from "./rows.ts";
import { type ColumnChoice, type Columns, chooseColumns, columnIndex, withHeader } from "./tables/columns.ts";
import { readTable, type Table } from "./tables/table.ts";

export { DatasetError, type Problem } from "./problems.ts";
export type { Row } from "./rows.ts";

/** Pictures with what is known about them, and what went wrong while reading it. */
export interface Dataset {
  readonly rows: readonly Row[];
  /** Rows left out, and why. They never stop a run. */
  readonly problems: readonly Problem[];
  /** Ends of the MOS scale; absent when no row is rated. */
  readonly range?: MosRange;
  /** Whether `range` was given (nominal) or taken from the rows (observed). */
  readonly rangeSource?: "nominal" | "observed";
  /** Things the user should know, as sentences. */
  readonly warnings: readonly string[];
  /** The CSV column behind each field; absent for a plain folder. */
  readonly columns?: Columns;
  /** Rows left out because of `exclude`. */
  readonly excluded: number;
}

/** Leaves out the rows whose `column` holds `value` or one of them; compared as trimmed text. */
export interface Exclusion {
  readonly column: string;
  readonly value: string | readonly string[];
}

export interface DatasetOptions {
  /**
   * Folder that holds the pictures; names in the CSV are relative to it or to the folder of the CSV. Subfolders are searched
   * too.
   */
  readonly folder: string;
  /** CSV or .xlsx file with a header; see `readTable` for what is understood. */
  readonly csv: string;
  /** Names of CSV columns, for those that are not recognised; `mos: false` reads names only. */
  readonly columns?: ColumnChoice;
  /** Ends of the nominal MOS scale, e.g. [0, 100]. A MOS outside is reported and its row left out. */
  readonly range?: MosRange;
  /** The scores are a DMOS, or another measure of which lower is better: each is turned into low + high − score. */
  readonly lowerIsBetter?: boolean;
  /** The scores are classes, so many, from 0 for the lowest quality on. Another number is reported and its row left out. */
  readonly classes?: number;
  readonly exclude?: Exclusion | readonly Exclusion[];
  /** How messages call these options. @default by their names here */
  readonly words?: OptionWords;
}

const datasetNames = {
  folder: true,
  csv: true,
  columns: true,
  range: true,
  lowerIsBetter: true,
  classes: true,
  exclude: true,
  words: true,
} satisfies Record<keyof DatasetOptions, true>;

/**
 * Reads a folder of pictures and a CSV of scores. Files are looked for, not opened: broken pictures show when they are
 * decoded, or in `scan`. Rows with a missing picture, a MOS that is not a number, or a name seen before are left out and
 * reported in `problems`; an empty MOS makes an unrated row.
 * @throws DatasetError when folder or CSV cannot be read, a column is not recognised, or no row is left;
 * RangeError when the given range is none, or lower is better and no range is given
 */
export async function loadDataset(options: DatasetOptions): Promise<Dataset> {
  expectNames("loadDataset", options, datasetNames);
  if (options.columns) expectNames("loadDataset: columns", options.columns, libraryWords.columns);
  if (options.range) checkRange(options.range);
  const { folder, csv, columns: asked = {}, words } = options;
  const read = await readTable(csv, asked);
  const { pictures, leftOut } = await listFolder(folder);
  const finder = new PictureFinder(folder, pictures);
  const { table, choice } = withHeader(read, finder, asked, csv);
  const { columns, warnings } = chooseColumns(table, choice, csv, words);
  const dataset = datasetFrom({
    ...options,
    table: { ...table, warnings: [...table.warnings, ...warnings] },
    columns,
    finder,
    source: csv,
    base: dirname(csv),
  });
  // What no row names is not missed; where rows are missing, it may be why.
  if (!dataset.problems.some(({ kind }) => kind === "missing") || leftOut.length === 0) return dataset;
  return { ...dataset, warnings: [...dataset.warnings, leftOutWords(leftOut)] };
}

/** A table of scores with the folder its pictures are in. */
export interface TableSource extends Pick<DatasetOptions, "range" | "exclude" | "lowerIsBetter" | "classes" | "words"> {
  readonly table: Table;
  readonly columns: Columns;
  readonly finder: PictureFinder;
  /** Stands for the table in messages. */
  readonly source: string;
  /** Folder that names may be relative to; without one, names are taken as they are. */
  readonly base?: string;
}

/** The rows of a table whose pictures exist; see `loadDataset`, which it is the second half of. */
export function datasetFrom(given: TableSource): Dataset {
  const { table, columns, range, source, lowerIsBetter = false, classes, words = libraryWords } = given;
  if (lowerIsBetter && !range) {
    throw new RangeError(
      `Scores of which lower is better can be turned round only on a known range; pass ${words.range}.`,
    );
  }
  const keep = exclusionTest(table, given.exclude ?? [], source, words);
  // Pictures are found for excluded rows too, so that another row does not get theirs.
  const found = foundPictures(table, columns, given.finder, given.base);
  const reader = new RowReader({ table, columns, range, classes, turned: lowerIsBetter, words });
  const rows: Row[] = [];
  const problems: Problem[] = [...table.problems];
  let excluded = 0;
  table.records.forEach((record, i) => {
    if (!keep(record.fields)) {
      excluded++;
      return;
    }
    const outcome = reader.read(record, found.pictures[i]!);
    if ("kind" in outcome) problems.push(outcome);
    else if ("path" in outcome) rows.push(outcome);
  });
  problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (rows.length === 0) {
    const first = problems[0] ? ` The first problem: ${problems[0].detail}` : "";
    const lost = problems.length > 0 && problems.every(({ kind }) => kind === "missing");
    const example = lost && given.finder.example;
    throw new DatasetError(
      `No usable row is left of ${source}: ${excluded} excluded, ${problems.length} with problems.${first}` +
        (example ? ` The pictures there are called like "${example}"; is ${words.folder} the right one?` : ""),
    );
  }
  const scale = scaleOf(rows, range, words);
  const warnings = [...table.warnings, ...found.warnings, ...scale.warnings, ...reader.warnings()];
  return { rows, problems, columns, excluded, ...scale, warnings };
}

export interface FolderOptions {
  /** @default true */
  readonly recursive?: boolean;
  /**
   * File name extensions without the dot, any case. @default `pictureExtensions`, and files of any other name that begin as a
   * picture does
   */
  readonly extensions?: readonly string[];
}

const folderNames = { recursive: true, extensions: true } satisfies Record<keyof FolderOptions, true>;

/**
 * Reads a folder of pictures as an unrated data set, sorted by name. What might be a picture and cannot be read, such as a
 * folder without permission, is in `problems`; other files are counted in `warnings`.
 * @throws DatasetError when the folder cannot be read or holds no picture
 */
export async function loadFolder(folder: string, options: FolderOptions = {}): Promise<Dataset> {
  expectNames("loadFolder", options, folderNames);
  const { pictures, leftOut, ...others } = await listFolder(folder, options);
  const note = passedOverWords(others);
  if (pictures.length === 0) {
    const { extensions } = options;
    const which = extensions ? ` with one of the extensions ${extensions.join(", ")}` : " that can be read";
    const found = [...(leftOut.length > 0 ? [leftOutWords(leftOut)] : []), ...(note ? [`It was ${note}.`] : [])];
    throw new DatasetError([`${printable(folder)} holds no picture${which}.`, ...found].join(" "));
  }
  const rows = pictures.map((name) => ({ name, path: join(folder, name) }));
  const problems = leftOut.map(({ name, why }): Problem => ({ kind: "picture", name: name || folder, detail: why }));
  return { rows, problems, warnings: note ? [note] : [], excluded: 0 };
}

/** Left-out entries named at most in one sentence. */
const namedAtMost = 3;

function leftOutWords(leftOut: readonly LeftOut[]): string {
  const named = leftOut.slice(0, namedAtMost).map(({ name, why }) => `${printable(name)}: ${why}`);
  const rest = leftOut.length - named.length;
  return `Left out of the folder: ${named.join(" ")}${rest > 0 ? ` And ${rest} more.` : ""}`;
}

/** The rows that have a MOS, typed so. */
export function ratedRows(rows: readonly Row[]): (Row & { readonly mos: number })[] {
  return rows.filter((row): row is Row & { readonly mos: number } => row.mos !== undefined);
}

/** The rows without a MOS. */
export function unratedRows(rows: readonly Row[]): Row[] {
  return rows.filter((row) => row.mos === undefined);
}

function exclusionTest(
  table: Table,
  exclude: Exclusion | readonly Exclusion[],
  csv: string,
  words: OptionWords,
): (fields: readonly string[]) => boolean {
  const tests = [exclude].flat().map(({ column, value }) => {
    const index = columnIndex(table, column);
    if (index < 0) {
      throw new DatasetError(
        `${words.exclude} names the column "${column}", which ${csv} does not have; it has ${table.header.filter(Boolean).join(", ")}.`,
      );
    }
    return { index, values: new Set([value].flat()) };
  });
  return (fields) => tests.every(({ index, values }) => !values.has(fields[index]?.trim() ?? ""));
}

function scaleOf(
  rows: readonly Row[],
  nominal: MosRange | undefined,
  words: OptionWords,
): Pick<Dataset, "range" | "rangeSource"> & { warnings: string[] } {
  const rated = ratedRows(rows);
  if (rated.length === 0) return { warnings: [] };
  if (nominal) return { range: nominal, rangeSource: "nominal", warnings: [] };
  const first = rated[0]!.mos;
  if (rated.every((row) => row.mos === first)) {
    const warning = `Every MOS is ${first}, so the scale is unknown; pass its nominal ends as ${words.range}.`;
    return { warnings: [warning] };
  }
  const range = observedRange(rated.map((row) => row.mos));
  const warning =
    `No nominal MOS range was given, so the observed one of all rated rows, [${range.join(", ")}], is used; it knows the ` +
    `test part. Pass ${words.range} to say the ends of the scale.`;
  return { range, rangeSource: "observed", warnings: [warning] };
}

import { type ColumnChoice, type Columns, chooseColumns, columnIndex } from "./columns.ts";
import { listPictures, pictureExtensions } from "./folder.ts";
import { PictureFinder } from "./picture-finder.ts";
import { DatasetError, type Problem } from "./problems.ts";
import { checkRange, type MosRange, observedRange } from "./range.ts";
import { parseNumber, readTable, type Table } from "./table.ts";

export { DatasetError, type Problem } from "./problems.ts";

/** One picture of a data set. */
export interface Row {
  /** Unique within the data set: the name in the CSV, or the path below the folder. */
  readonly name: string;
  /** Where the file is. */
  readonly path: string;
  /** Mean opinion score on the scale of the data set; absent when the picture is not rated. */
  readonly mos?: number;
  /** Standard deviation of the opinions, same units. */
  readonly sd?: number;
  /** How often each grade was given, worst first: counts or shares, at least one above 0. */
  readonly histogram?: readonly number[];
  /** Pictures of one group (scene, reference) belong in the same part of a split. */
  readonly group?: string;
  /** The part the authors of the data set put it in. */
  readonly split?: string;
}

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
  /** Folder that holds the pictures; names in the CSV are relative to it. Subfolders are searched too. */
  readonly folder: string;
  /** CSV file with a header. Comma, semicolon or tab; BOM and quotes are understood. */
  readonly csv: string;
  /** Names of CSV columns, for those that are not recognised; `mos: false` reads names only. */
  readonly columns?: ColumnChoice;
  /** Ends of the nominal MOS scale, e.g. [0, 100]. A MOS outside is reported and its row left out. */
  readonly range?: MosRange;
  /** The scores are a DMOS, or another measure of which lower is better: each is turned into low + high − score. */
  readonly lowerIsBetter?: boolean;
  readonly exclude?: Exclusion | readonly Exclusion[];
}

/**
 * Reads a folder of pictures and a CSV of scores. Files are looked for, not opened: broken pictures show when they are
 * decoded, or in `scan`. Rows with a missing picture, a MOS that is not a number, or a name seen before are left out and
 * reported in `problems`; an empty MOS makes an unrated row.
 * @throws DatasetError when folder or CSV cannot be read, a column is not recognised, or no row is left;
 * RangeError when the given range is none, or lower is better and no range is given
 */
export async function loadDataset(options: DatasetOptions): Promise<Dataset> {
  if (options.range) checkRange(options.range);
  const table = await readTable(options.csv);
  const columns = chooseColumns(table, options.columns ?? {}, options.csv);
  const finder = new PictureFinder(options.folder, await listPictures(options.folder));
  return datasetFrom({ ...options, table, columns, finder, source: options.csv });
}

/** A table of scores with the folder its pictures are in. */
export interface TableSource extends Pick<DatasetOptions, "range" | "exclude" | "lowerIsBetter"> {
  readonly table: Table;
  readonly columns: Columns;
  readonly finder: PictureFinder;
  /** Stands for the table in messages. */
  readonly source: string;
}

/** The rows of a table whose pictures exist; see `loadDataset`, which it is the second half of. */
export function datasetFrom(given: TableSource): Dataset {
  const { table, columns, range, source, lowerIsBetter = false } = given;
  if (lowerIsBetter && !range) {
    throw new RangeError("Scores of which lower is better can be turned round only on a known range; pass range.");
  }
  const keep = exclusionTest(table, given.exclude ?? [], source);
  const reader = new RowReader(table, columns, given.finder, range, lowerIsBetter);
  const rows: Row[] = [];
  const problems: Problem[] = [...table.problems];
  let excluded = 0;
  for (const record of table.records) {
    if (!keep(record.fields)) {
      excluded++;
      continue;
    }
    const outcome = reader.read(record.fields, record.line);
    if ("kind" in outcome) problems.push(outcome);
    else rows.push(outcome);
  }
  if (rows.length === 0) {
    const first = problems[0] ? ` The first problem: ${problems[0].detail}` : "";
    throw new DatasetError(
      `No usable row is left of ${source}: ${excluded} excluded, ${problems.length} with problems.${first}`,
    );
  }
  const scale = scaleOf(rows, range);
  return { rows, problems, columns, excluded, ...scale, warnings: [...scale.warnings, ...reader.warnings()] };
}

export interface FolderOptions {
  /** @default true */
  readonly recursive?: boolean;
  /** File name extensions without the dot, any case. @default `pictureExtensions` */
  readonly extensions?: readonly string[];
}

/**
 * Reads a folder of pictures as an unrated data set, sorted by name.
 * @throws DatasetError when the folder cannot be read or holds no picture
 */
export async function loadFolder(folder: string, options: FolderOptions = {}): Promise<Dataset> {
  const extensions = options.extensions ?? pictureExtensions;
  const names = await listPictures(folder, { ...options, extensions });
  if (names.length === 0) {
    throw new DatasetError(`${folder} holds no picture with one of the extensions ${extensions.join(", ")}.`);
  }
  const finder = new PictureFinder(folder, names);
  const rows = names.map((name) => ({ name, path: finder.pathOf(name) }));
  return { rows, problems: [], warnings: [], excluded: 0 };
}

/** The rows that have a MOS, typed so. */
export function ratedRows(rows: readonly Row[]): (Row & { readonly mos: number })[] {
  return rows.filter((row): row is Row & { readonly mos: number } => row.mos !== undefined);
}

/** The rows without a MOS. */
export function unratedRows(rows: readonly Row[]): Row[] {
  return rows.filter((row) => row.mos === undefined);
}

/** Turns the fields of one record into a row or a problem; remembers names to see duplicates. */
class RowReader {
  readonly #columns: Columns;
  readonly #index: (column: string | undefined) => number;
  readonly #finder: PictureFinder;
  readonly #range: MosRange | undefined;
  readonly #turned: boolean;
  readonly #seenAt = new Map<string, number>();
  #unrated = 0;
  #badSd = 0;

  constructor(table: Table, columns: Columns, finder: PictureFinder, range: MosRange | undefined, turned: boolean) {
    this.#columns = columns;
    this.#index = (column) => (column === undefined ? -1 : columnIndex(table, column));
    this.#finder = finder;
    this.#range = range;
    this.#turned = turned;
  }

  read(fields: readonly string[], line: number): Row | Problem {
    const field = (column: string | undefined) => fields[this.#index(column)]?.trim() ?? "";
    const name = field(this.#columns.name);
    const problem = (kind: Problem["kind"], detail: string): Problem => ({
      kind,
      line,
      name,
      detail: `line ${line}: ${detail}`,
    });
    if (name === "") return problem("name", `column "${this.#columns.name}" is empty.`);
    const path = this.#finder.find(name);
    if (typeof path !== "string") return problem("missing", `${name}: ${path.why}`);
    const earlier = this.#seenAt.get(path);
    if (earlier !== undefined) return problem("duplicate", `${name} is already on line ${earlier}; that one is kept.`);

    const mosText = field(this.#columns.mos);
    const mos = mosText === "" ? undefined : parseNumber(mosText);
    if (Number.isNaN(mos)) return problem("mos", `${name}: the MOS "${mosText}" is not a number.`);
    if (mos !== undefined && this.#range && (mos < this.#range[0] || mos > this.#range[1])) {
      return problem("mos", `${name}: the MOS ${mos} lies outside the range [${this.#range.join(", ")}].`);
    }
    this.#seenAt.set(path, line);
    if (mos === undefined) this.#unrated++;
    const sdText = field(this.#columns.sd);
    const sd = sdText === "" ? undefined : parseNumber(sdText);
    const sdIsGood = sd === undefined || sd >= 0;
    if (!sdIsGood) this.#badSd++;
    const histogram = this.#columns.histogram?.map((column) => parseNumber(field(column)));
    if (this.#turned) histogram?.reverse();
    const group = field(this.#columns.group);
    const split = field(this.#columns.split);
    return {
      name,
      path,
      ...(mos === undefined ? {} : { mos: this.#turned ? this.#range![0] + this.#range![1] - mos : mos }),
      ...(sd === undefined || !sdIsGood ? {} : { sd }),
      ...(isHistogram(histogram) ? { histogram } : {}),
      ...(group === "" ? {} : { group }),
      ...(split === "" ? {} : { split }),
    };
  }

  warnings(): string[] {
    const { mos, sd } = this.#columns;
    const warnings: string[] = [];
    if (mos !== undefined && /dmos/i.test(mos) && !this.#turned) {
      warnings.push(
        `Column "${mos}" is taken as it is, higher meaning better; in some data sets DMOS runs the other way: set lowerIsBetter.`,
      );
    }
    if (mos !== undefined && this.#unrated > 0) {
      warnings.push(`${this.#unrated} rows have an empty "${mos}" and count as unrated.`);
    }
    if (this.#badSd > 0) {
      warnings.push(`${this.#badSd} rows have a "${sd}" that is no non-negative number; it is left out.`);
    }
    return warnings;
  }
}

function isHistogram(counts: readonly number[] | undefined): counts is readonly number[] {
  return counts?.every((count) => count >= 0) === true && counts.some((count) => count > 0);
}

function exclusionTest(
  table: Table,
  exclude: Exclusion | readonly Exclusion[],
  csv: string,
): (fields: readonly string[]) => boolean {
  const tests = [exclude].flat().map(({ column, value }) => {
    const index = columnIndex(table, column);
    if (index < 0) {
      throw new DatasetError(
        `exclude names the column "${column}", which ${csv} does not have; it has ${table.header.join(", ")}.`,
      );
    }
    return { index, values: new Set([value].flat()) };
  });
  return (fields) => tests.every(({ index, values }) => !values.has(fields[index]?.trim() ?? ""));
}

function scaleOf(
  rows: readonly Row[],
  nominal: MosRange | undefined,
): Pick<Dataset, "range" | "rangeSource"> & { warnings: string[] } {
  const rated = ratedRows(rows);
  if (rated.length === 0) return { warnings: [] };
  if (nominal) return { range: nominal, rangeSource: "nominal", warnings: [] };
  const first = rated[0]!.mos;
  if (rated.every((row) => row.mos === first)) {
    const warning = `Every MOS is ${first}, so the scale is unknown; pass its nominal ends as range.`;
    return { warnings: [warning] };
  }
  const range = observedRange(rated.map((row) => row.mos));
  const warning =
    `No nominal MOS range was given, so the observed one of all rated rows, [${range.join(", ")}], is used; it knows the ` +
    "test part. Pass range to say the ends of the scale.";
  return { range, rangeSource: "observed", warnings: [warning] };
}

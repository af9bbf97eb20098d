import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { glob } from "tinyglobby";
import { listPictures } from "../files/folder.ts";
import { PictureFinder } from "../files/picture-finder.ts";
import { DatasetError } from "../problems.ts";
import { readTable, type Table } from "../tables/table.ts";
import { type MatValue, readMat } from "./mat.ts";

/** Score files may lie this many folders deep. */
const deepest = 5;

/** The files of one data set on disk, found by name at any depth: archives differ in the folders they unpack to. */
export class SetFiles {
  readonly folder: string;
  readonly #advice: string;
  readonly #tables: readonly string[];

  private constructor(folder: string, tables: readonly string[], advice: string) {
    this.folder = folder;
    this.#tables = tables;
    this.#advice = advice;
  }

  /**
   * @param advice a sentence that says where the set can be had
   * @throws DatasetError when the folder does not exist
   */
  static async open(folder: string, advice: string): Promise<SetFiles> {
    const info = await stat(folder).catch((error: Error) => {
      throw new DatasetError(`The folder ${folder} cannot be read: ${error.message}. ${advice}`, { cause: error });
    });
    if (!info.isDirectory()) throw new DatasetError(`${folder} is a file; the folder of the data set is expected.`);
    const pattern = "**/*.{csv,txt,mat,xlsx}";
    const found = await glob(pattern, { cwd: folder, deep: deepest, absolute: true, caseSensitiveMatch: false });
    return new SetFiles(folder, found.sort(), advice);
  }

  /** Path of the first of several names that exists; case, spaces and underscores do not matter. */
  find(...names: readonly string[]): string | undefined {
    const key = (name: string) => basename(name).toLowerCase().replace(/[\s_]/g, "");
    for (const name of names) {
      const path = this.#tables.find((other) => key(other) === key(name));
      if (path !== undefined) return path;
    }
    return undefined;
  }

  /** As `find`. @throws DatasetError naming what is missing, and where the set can be had */
  need(...names: readonly string[]): string {
    const path = this.find(...names);
    if (path === undefined) {
      const wanted = names.map((name) => `"${name}"`).join(" or ");
      throw new DatasetError(`${this.folder} holds no ${wanted}. ${this.#advice}`);
    }
    return path;
  }

  /**
   * The pictures below the folder.
   * @param preferred names of folders: when some of the pictures lie below one of them, only those of the first count
   * @throws DatasetError when there is none
   */
  async pictures(preferred: readonly string[]): Promise<PictureFinder> {
    const all = await listPictures(this.folder);
    const below = preferred
      .map((part) => all.filter((name) => name.toLowerCase().split("/").slice(0, -1).includes(part.toLowerCase())))
      .find((names) => names.length > 0);
    const names = withoutConverted(below ?? all);
    if (names.length === 0) {
      const where = preferred.length ? ` (expected in "${preferred.join('" or "')}")` : "";
      throw new DatasetError(`${this.folder} holds no pictures${where}. ${this.#advice}`);
    }
    return new PictureFinder(this.folder, names);
  }
}

/** Where a BMP lies beside a copy in another container, they are one picture, and the smaller file is read. */
function withoutConverted(names: readonly string[]): string[] {
  const stem = (name: string) => name.slice(0, name.lastIndexOf("."));
  const isBmp = (name: string) => name.toLowerCase().endsWith(".bmp");
  const decodable = new Set(names.filter((name) => !isBmp(name)).map(stem));
  return names.filter((name) => !isBmp(name) || !decodable.has(stem(name)));
}

/**
 * A sheet of an .xlsx file, or a CSV file, as a table; its first row names the columns.
 * @param sheet name of the sheet; default: the first
 * @throws DatasetError when it cannot be read, or has no such sheet
 */
export function readSheetOrCsv(path: string, sheet?: string): Promise<Table> {
  return readTable(path, {}, sheet);
}

/**
 * Turns the records of a table into entries; a column that is not there reads as "".
 * @throws DatasetError when a needed column is absent
 */
export function entriesOf<T>(
  table: Table,
  path: string,
  needed: readonly string[],
  entry: (field: (column: string) => string, line: number) => T,
): T[] {
  const missing = needed.filter((column) => !table.header.includes(column));
  if (missing.length > 0) {
    throw new DatasetError(`${path} has no column "${missing.join('", "')}"; it has ${table.header.join(", ")}.`);
  }
  const index = new Map(table.header.map((column, i) => [column, i]));
  return table.records.map(({ fields, line }) =>
    entry((column) => fields[index.get(column) ?? -1]?.trim() ?? "", line),
  );
}

/**
 * Lines of words without a header, such as "5.51429 i01_01_1.bmp".
 * @throws DatasetError when the file cannot be read
 */
export async function readWords(path: string): Promise<string[][]> {
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new DatasetError(`${path} cannot be read: ${error.message}`, { cause: error });
  });
  return text
    .split(/\r?\n/)
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] !== "");
}

/**
 * One variable of a MAT-file, flat: numbers as they are, text row by row, a cell array of texts one string per cell.
 * @throws DatasetError when the file cannot be read or has no such variable
 */
export async function readMatVariable(path: string, name: string): Promise<(number | string)[]> {
  const bytes = await readFile(path).catch((error: Error) => {
    throw new DatasetError(`${path} cannot be read: ${error.message}`, { cause: error });
  });
  const variables = readMat(bytes, path);
  const value = variables.get(name);
  if (!value)
    throw new DatasetError(`${path} has no "${name}"; it has ${[...variables.keys()].join(", ") || "nothing"}.`);
  return flatten(value);
}

function flatten(value: MatValue): (number | string)[] {
  if (value.kind === "numbers") return [...value.values];
  if (value.kind === "text") return value.rows.map((row) => row.trim());
  return value.cells.flatMap(flatten);
}

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expectNames } from "../../engine/arguments.ts";
import { type Dataset, loadDataset, loadFolder } from "../data/dataset.ts";
import { degradedTable } from "../data/degraded/degrade.ts";
import { readCopies } from "../data/degraded/degraded-table.ts";
import { PictureFinder } from "../data/files/picture-finder.ts";
import type { OptionWords } from "../data/option-words.ts";
import { DatasetError } from "../data/problems.ts";
import type { ColumnChoice } from "../data/tables/columns.ts";

/** A copy of a picture, and the picture that it is measured against. */
export interface CopyPair {
  readonly name: string;
  readonly path: string;
  /** Name and path of the reference; without a path, why there is none. */
  readonly reference: string;
  readonly referencePath?: string;
  readonly why?: string;
  /** Larger references are reduced to so many pixels first, as the copy was; 0 keeps their size. */
  readonly longerSide: number;
  /** Of the distortion, where the table says it. */
  readonly kind?: string;
  readonly level?: string;
}

/** Copies to measure, and what was left out of a table or folder. */
export interface Copies extends Pick<Dataset, "problems" | "warnings"> {
  readonly pairs: readonly CopyPair[];
}

export interface CopyOptions {
  /** Folder of the references; may be left out where the copies' own table lists them. */
  readonly references?: string;
  /** Table of the copies' names and their references. @default the table that `degradeFolder` left, or else equal names in both folders */
  readonly csv?: string;
  readonly nameColumn?: string;
  /** @default a column called reference, ref or group */
  readonly referenceColumn?: string;
  /** How messages call options. */
  readonly words?: OptionWords;
}

const names = { references: true, csv: true, nameColumn: true, referenceColumn: true, words: true } satisfies Record<
  keyof CopyOptions,
  true
>;

/**
 * Pairs of copies and references: by a CSV, by the table of degraded copies, or by equal names below two folders.
 * @throws DatasetError when a folder or table cannot be read, or there is nothing to pair
 */
export async function copyPairs(folder: string, options: CopyOptions = {}): Promise<Copies> {
  expectNames("copyPairs", options, names);
  const { references, csv } = options;
  const find = references === undefined ? undefined : await finderOf(references);
  const table = join(folder, degradedTable);
  const copies =
    csv !== undefined
      ? await byCsv(folder, csv, options, find)
      : (await stat(table).catch(() => undefined))
        ? await byTable(folder, table, find)
        : await byName(folder, find);
  if (copies.pairs.length === 0) throw new DatasetError(`${folder} holds no copy to measure.`);
  return copies;
}

type Find = (name: string) => Pick<CopyPair, "referencePath" | "why">;

async function finderOf(folder: string): Promise<Find> {
  const { rows } = await loadFolder(folder);
  const finder = new PictureFinder(
    folder,
    rows.map(({ name }) => name),
  );
  return (name) => {
    const found = finder.locate(name);
    return "path" in found
      ? { referencePath: found.path }
      : { why: `Its reference ${name} is not there: ${found.why}` };
  };
}

/** @throws DatasetError */
function needed(find: Find | undefined): Find {
  if (find) return find;
  throw new DatasetError("The folder of the references is needed; give it with `references`.");
}

async function byCsv(folder: string, csv: string, options: CopyOptions, find: Find | undefined): Promise<Copies> {
  const { nameColumn, referenceColumn, words } = options;
  const look = needed(find);
  const columns: ColumnChoice = {
    ...(nameColumn !== undefined && { name: nameColumn }),
    ...(referenceColumn !== undefined && { group: referenceColumn }),
    ...{ mos: false, sd: false, split: false },
  };
  const { rows, problems, warnings } = await loadDataset({ folder, csv, columns, ...(words && { words }) });
  const pairs = rows.map(({ name, path, group }) => ({
    ...{ name, path, reference: group ?? "", longerSide: 0 },
    ...(group === undefined ? { why: "The table names no reference for it." } : look(group)),
  }));
  return { pairs, problems, warnings };
}

/** A copy at level 0 is the reference of the others of its source; the source itself of those that were not toned. */
async function byTable(folder: string, table: string, find: Find | undefined): Promise<Copies> {
  const lines = (await readCopies(table)).filter(({ name }) => name !== "");
  const clean = new Map(lines.filter(({ level }) => level === "0").map(({ source, name }) => [source, name]));
  const pairs = lines
    .filter(({ level }) => level !== "0")
    .map(({ name, source, kind, level, longer_side, toned }) => {
      const own = { name, path: join(folder, name), kind, level };
      const cleanName = clean.get(source);
      if (cleanName !== undefined)
        return { ...own, reference: cleanName, referencePath: join(folder, cleanName), longerSide: 0 };
      const isToned = Number(toned ?? 0) > 0;
      const why = "It may have been toned before, and the toned picture was not kept; make copies without --toned.";
      const longerSide = Number(longer_side);
      return { ...own, reference: source, longerSide, ...(isToned ? { why } : needed(find)(source)) };
    });
  return { pairs, problems: [], warnings: [] };
}

async function byName(folder: string, find: Find | undefined): Promise<Copies> {
  const look = needed(find);
  const { rows, problems, warnings } = await loadFolder(folder);
  const pairs = rows.map(({ name, path }) => ({ name, path, reference: name, longerSide: 0, ...look(name) }));
  return { pairs, problems, warnings };
}

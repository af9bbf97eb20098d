import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parse } from "csv-parse/sync";
import type { Row } from "./dataset.ts";
import { degradedTable } from "./degrade.ts";
import { PictureFinder } from "./folder.ts";
import { DatasetError } from "./problems.ts";
import type { MosRange } from "./range.ts";

/** A degraded copy of a picture of a data set. */
export interface DegradedCopy extends Row {
  /** Name of the picture's row. */
  readonly source: string;
  /** 1 (mild) … 5 (strong). */
  readonly level: number;
}

/**
 * The degraded copies of the pictures of a data set. Sources that are no picture of it are passed over.
 * @param folder as `degradeFolder` left it; its sources go by the rows' names or else by the ends of their paths, so that the
 * folder that was degraded may be that of the data set, one above or one below it
 * @param rows of the whole data set, so that a source is not taken for a picture of the same name in another part
 * @returns named degraded/…, wherever the folder is
 * @throws DatasetError when the folder has no table of copies, a level is none, or no source is a picture of these rows
 */
export async function degradedCopies(folder: string, rows: readonly Row[]): Promise<DegradedCopy[]> {
  const path = join(folder, degradedTable);
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new DatasetError(`${folder} is no folder of degraded copies (acutance data degrade): ${cause.message}`, {
      cause,
    });
  });
  const table: { name?: string; source?: string; level?: string }[] = parse(text, { columns: true });
  const byName = new Map(rows.map((row) => [row.name, row]));
  const byPath = new Map(rows.map((row) => [resolve(row.path), row]));
  const finder = new PictureFinder(
    "/",
    [...byPath.keys()].map((file) => file.slice(1)),
  );
  const rowOf = (source: string) => {
    const found = byName.get(source) ?? finder.find(source);
    return typeof found === "string" ? byPath.get(found) : "path" in found ? found : undefined;
  };
  const copies = table.flatMap(({ name = "", source = "", level }, i): DegradedCopy[] => {
    const row = source === "" ? undefined : rowOf(source);
    if (!row || name === "") return [];
    if (![1, 2, 3, 4, 5].includes(Number(level)))
      throw new DatasetError(`${path}, line ${i + 2}: the level "${level}" of ${name} is none; there are 1 to 5.`);
    const group = row.group && { group: row.group };
    return [{ name: `degraded/${name}`, path: join(folder, name), source: row.name, level: Number(level), ...group }];
  });
  if (copies.length === 0) {
    const named = table.find(({ source }) => source)?.source ?? "nothing";
    throw new DatasetError(
      `${folder} has no copy of a picture of this data set; its sources are named ${named} and so on, those of the data set ${rows[0]?.name ?? "nothing"}.`,
    );
  }
  return copies;
}

/** What the loss of a copy is multiplied with unless given: its score is a guess. */
export const copyWeight = 0.1;

/** Share of its quality that a picture is taken to lose with each level of a distortion. */
const lossPerLevel = 0.12;

/**
 * The copies of rated pictures as rated pictures, of MOS lo + (MOS − lo) · (1 − 0.12 level): an estimate that falls with the
 * level of the distortion from the score of the picture it was made of.
 * @param rows one part of a split: a copy belongs to the part of its source, those of other pictures are left out
 * @param range ends of the MOS scale
 * @param weight what the loss of a copy is multiplied with
 */
export function ratedCopies<Copy extends DegradedCopy>(
  copies: readonly Copy[],
  rows: readonly (Row & { readonly mos: number })[],
  [low]: MosRange,
  weight = copyWeight,
): (Omit<Copy, "source" | "level"> & { readonly mos: number; readonly weight: number })[] {
  const scores = new Map(rows.map(({ name, mos }) => [name, mos]));
  return copies.flatMap(({ source, level, ...copy }) => {
    const mos = scores.get(source);
    return mos === undefined ? [] : [{ ...copy, mos: low + (mos - low) * (1 - lossPerLevel * level), weight }];
  });
}

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import type { Row } from "./dataset.ts";
import { DatasetError } from "./problems.ts";
import { readTable } from "./tables/table.ts";

/** Parts of a split, in the order in which they are written. */
const partNames = ["labelled", "unlabelled", "validation", "test"] as const;

/** What a split file says. */
export interface SplitFile {
  /** Part of every picture, by its name. */
  readonly parts: ReadonlyMap<string, string>;
  /** The training it belongs to; absent in files of earlier versions and of other programs. */
  readonly run?: string;
}

/**
 * Writes split.csv into a folder, which is made: name, part and MOS of every picture, and the id of the training. Pictures that
 * another model labelled are a part of their own.
 */
export async function writeSplit(
  folder: string,
  data: { readonly [Part in (typeof partNames)[number]]?: readonly Row[] },
  run: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const rows = partNames.flatMap((part) =>
    (data[part] ?? []).map(({ name, mos, weight }) => ({
      ...{ name, mos: mos ?? "", run },
      part: weight === undefined ? part : "pseudo-labelled",
    })),
  );
  const text = stringify(rows, { header: true, columns: ["name", "part", "mos", "run"] });
  await writeFileAtomically(join(folder, "split.csv"), text);
}

/** Reads a split file. @throws DatasetError when it cannot be read, or names no part of any picture */
export async function readSplit(path: string): Promise<SplitFile> {
  const { header, records } = await readTable(path, { name: "name", split: "part", mos: false });
  const [nameAt, partAt, runAt] = ["name", "part", "run"].map((column) => header.indexOf(column));
  const parts = new Map<string, string>();
  for (const { fields } of records) {
    const [name, part] = [fields[nameAt!], fields[partAt!]];
    if (name && part) parts.set(name, part);
  }
  const run = records[0]?.fields[runAt!];
  if (parts.size > 0) return { parts, ...(run && { run }) };
  throw new DatasetError(
    `${path} has no rows with a name and a part; the split.csv of a training run is expected, with the columns name, part.`,
  );
}

import { CsvError, parse } from "csv-parse/sync";
import { readText } from "../../../engine/weights/files.ts";
import { DatasetError } from "../problems.ts";

/** A line of the table of degraded copies. */
export interface CopyLine {
  readonly name: string;
  readonly source: string;
  readonly kind: string;
  readonly level: string;
  readonly seed: string;
  readonly longer_side: string;
  readonly toned: string | undefined;
  /** From 1. */
  readonly line: number;
}

/** Columns without which a copy is not known. */
const needed = ["name", "source", "kind", "level"] as const;

/**
 * Reads the table of degraded copies as they were written; it is no user's CSV, so that nothing in it is guessed.
 * @throws DatasetError when it cannot be read or is damaged
 */
export async function readCopies(path: string): Promise<CopyLine[]> {
  const damaged = (what: string) =>
    new DatasetError(
      `${path} is damaged: ${what}. Make the copies again with acutance data degrade, in an empty folder.`,
    );
  const text = await readText(path).catch((cause: Error) => {
    throw new DatasetError(cause.message, { cause });
  });
  let rows: { record: Record<string, string>; info: { lines: number } }[];
  try {
    rows = parse(text, { columns: true, info: true, bom: true }) as unknown as typeof rows;
  } catch (error) {
    if (error instanceof CsvError) throw damaged(error.message);
    throw error;
  }
  const header = text.slice(0, text.search(/\r?\n|$/)).split(",");
  const missing = needed.filter((column) => !header.includes(column));
  if (missing.length > 0) throw damaged(`it has no column ${missing.join(", ")}`);
  return rows.map(({ record, info }) => ({ ...(record as unknown as CopyLine), line: info.lines }));
}

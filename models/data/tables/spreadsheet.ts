import { DatasetError } from "../problems.ts";
import type { TableRecord } from "./records.ts";

/** Whether a file is, by its name or its parts, an .xlsx file. */
export function isSpreadsheet(bytes: Uint8Array, path: string): boolean {
  if (/\.xlsx$/i.test(path)) return true;
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) return false;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes("xl/workbook");
}

/**
 * Rows of a sheet of an .xlsx file that are not empty, as texts; `line` is the number of the row.
 * @param sheet its name; default: the first
 * @throws DatasetError when it cannot be read, or has no such sheet
 */
export async function sheetRows(bytes: Uint8Array, path: string, sheet?: string): Promise<TableRecord[]> {
  const { readSheet } = await import("read-excel-file/node");
  let rows: readonly (readonly unknown[])[];
  try {
    const file = Buffer.from(bytes);
    rows = await (sheet === undefined ? readSheet(file) : readSheet(file, sheet));
  } catch (error) {
    throw new DatasetError(`The spreadsheet ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return rows
    .map((row, i) => ({ fields: row.map((cell) => (cell === null ? "" : String(cell).trim())), line: i + 1 }))
    .filter(({ fields }) => fields.some((field) => field !== ""));
}

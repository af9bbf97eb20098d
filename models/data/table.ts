import { readFile } from "node:fs/promises";
import { CsvError, parse } from "csv-parse/sync";
import { DatasetError, type Problem } from "./problems.ts";

/** A CSV file as text: its header and its records with the lines they end on. */
export interface Table {
  readonly header: readonly string[];
  readonly records: readonly { readonly fields: readonly string[]; readonly line: number }[];
  /** Lines that could not be parsed. */
  readonly problems: readonly Problem[];
}

const DELIMITERS = [",", ";", "\t"] as const;

/**
 * Reads a CSV file with a header. The delimiter (comma, semicolon or tab) is the one that occurs most often in the
 * header outside quotes; a byte order mark, quoted fields with line breaks and empty lines are understood. Malformed
 * lines are collected in `problems`.
 * @throws DatasetError when the file cannot be read or has no header
 */
export async function readTable(path: string): Promise<Table> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new DatasetError(`The CSV ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return parseTable(decodeText(bytes), path);
}

/** Text of a UTF-8 file, or of a UTF-16 one with a byte order mark, as spreadsheets save it. */
function decodeText(bytes: Uint8Array): string {
  const mark = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
  if (mark === 0xfffe) return new TextDecoder("utf-16le").decode(bytes);
  if (mark === 0xfeff) return new TextDecoder("utf-16be").decode(bytes);
  return new TextDecoder().decode(bytes);
}

/** As `readTable`, from text; `path` stands in errors. */
export function parseTable(text: string, path: string): Table {
  const problems: Problem[] = [];
  const malformed = (error: CsvError | undefined): undefined => {
    const line = typeof error?.["lines"] === "number" ? error["lines"] : undefined;
    const detail = `${line === undefined ? "" : `line ${line}: `}${error?.message ?? "cannot be parsed"}`;
    problems.push({ kind: "line", name: "", detail, ...(line === undefined ? {} : { line }) });
  };
  let parsed: { record: string[]; info: { lines: number } }[];
  try {
    parsed = parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      on_skip: malformed,
    }) as unknown as typeof parsed;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new DatasetError(`The CSV ${path} cannot be parsed: ${error.message}`, { cause: error });
  }
  const [head, ...body] = parsed;
  if (!head) throw new DatasetError(`The CSV ${path} is empty; its first line must name the columns.`);
  const header = head.record.map((column) => column.trim());
  const records = body
    .map(({ record, info }) => ({ fields: record, line: info.lines }))
    .filter(({ fields }) => fields.some((field) => field.trim() !== ""));
  return { header, records, problems };
}

function delimiterOf(text: string): string {
  const counts = new Map<string, number>(DELIMITERS.map((delimiter) => [delimiter, 0]));
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (!quoted && character === "\n") break;
    else if (!quoted && counts.has(character)) counts.set(character, counts.get(character)! + 1);
  }
  return DELIMITERS.reduce((best, delimiter) => (counts.get(delimiter)! > counts.get(best)! ? delimiter : best));
}

/** A decimal number, with point or comma; NaN for anything else, infinities included. */
export function parseNumber(text: string): number {
  const trimmed = text.trim();
  if (!/^[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$/i.test(trimmed)) return Number.NaN;
  const value = Number(trimmed.replace(",", "."));
  return Number.isFinite(value) ? value : Number.NaN;
}

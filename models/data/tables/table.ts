import { readBytes } from "../../../engine/weights/files.ts";
import { DatasetError, linesText, type Problem } from "../problems.ts";
import { type ColumnChoice, fieldsOf } from "./column-names.ts";
import { type Dialect, dialects, recordsOf, type TableRecord } from "./records.ts";
import { isSpreadsheet, sheetRows } from "./spreadsheet.ts";
import { tableText } from "./text.ts";

/** A table as text: its header and its records with the lines they end on. */
export interface Table {
  readonly header: readonly string[];
  readonly records: readonly TableRecord[];
  /** Lines that could not be parsed. */
  readonly problems: readonly Problem[];
  /** What the user should know of how it was read, as sentences. */
  readonly warnings: readonly string[];
  /** The line of the header, from 1. */
  readonly headerLine?: number;
}

/** Lines looked at to find the dialect; the header is among the first of them. */
const [sampledLines, headerWithin] = [200, 30];

/**
 * Reads a CSV or .xlsx file with a header. The delimiter (comma, semicolon, tab, bar, blanks) is the one by which the header
 * is recognised and the lines have equally many fields; encodings (`tableText`), `sep=` lines, titles and # comments above the
 * header, all kinds of quotes and empty lines are understood. Malformed lines are collected in `problems`.
 * @param choice names of columns that tell the header
 * @throws DatasetError when the file cannot be read, is something else, or is empty
 */
export async function readTable(path: string, choice: ColumnChoice = {}, sheet?: string): Promise<Table> {
  let bytes: Uint8Array;
  try {
    bytes = await readBytes(path);
  } catch (error) {
    throw new DatasetError(`The CSV ${(error as Error).message}`, { cause: error });
  }
  if (isSpreadsheet(bytes, path)) return tableOf(await sheetRows(bytes, path, sheet), [], path, choice);
  const { text, warnings } = tableText(bytes, path);
  const table = parseTable(text, path, choice);
  return { ...table, warnings: [...warnings, ...table.warnings] };
}

/** As `readTable`, from text; `path` stands in errors. */
export function parseTable(text: string, path: string, choice: ColumnChoice = {}): Table {
  const body = text.replace(/^\ufeff/, "").replace(/\r+\n|\r/g, "\n");
  const said = /^\s*"?sep=(.|\\t)"?[ ,;\t]*(?:\n|$)/i.exec(body);
  // The line stays, empty, so that lines keep their numbers.
  const rest = said ? `\n${body.slice(said[0].length)}` : body;
  const dialect = said ? { delimiter: said[1] === "\\t" ? "\t" : said[1]! } : dialectOf(rest, choice);
  const { records, problems } = recordsOf(rest, dialect);
  const inside =
    records.length > 0 && records.every(({ fields }) => fields.length === 1) ? quotedLines(rest, records) : undefined;
  if (inside !== undefined) return parseTable(inside, path, choice);
  return tableOf(records, problems, path, choice);
}

/** The text within, when every line is one quoted field that holds a whole line of a CSV. */
function quotedLines(text: string, records: readonly TableRecord[]): string | undefined {
  if (!text.split("\n").every((line) => line.trim() === "" || /^\s*".*"\s*$/.test(line))) return undefined;
  const lines = text.split("\n").map(() => "");
  for (const { fields, line } of records) lines[line - 1] = fields[0]!;
  return lines.every((line) => line === "" || /[,;\t|]/.test(line)) ? lines.join("\n") : undefined;
}

function dialectOf(text: string, choice: ColumnChoice): Dialect {
  const sample = text.split("\n", sampledLines).join("\n");
  let best = { dialect: dialects[0]!, score: Number.NEGATIVE_INFINITY };
  for (const dialect of dialects) {
    const score = fitness(recordsOf(sample, dialect).records, choice) - (dialect.blanks ? 0.2 : 0);
    if (score > best.score) best = { dialect, score };
  }
  return best.dialect;
}

/** How well a dialect fits: columns that are recognised count first, then lines with as many fields as the header. */
function fitness(records: readonly TableRecord[], choice: ColumnChoice): number {
  if (records.length === 0) return 0;
  const at = headerPosition(records, choice);
  const header = records[at]!.fields;
  const rows = records.slice(at + 1);
  const same = rows.filter(({ fields }) => fields.length === header.length).length / Math.max(1, rows.length);
  const recognised = fieldsOf(header, choice);
  const columns = header.length > 1 ? same : 0;
  return (recognised.has("name") && recognised.has("mos") ? 10 : 0) + recognised.size + 2 * columns;
}

/** Position of the header: the first of the leading records with a column for the names and one for the MOS. */
function headerPosition(records: readonly TableRecord[], choice: ColumnChoice): number {
  const position = records.slice(0, headerWithin).findIndex(({ fields }) => {
    const has = fieldsOf(withoutHash(fields), choice);
    return has.has("name") && (has.has("mos") || choice.mos === false);
  });
  if (position >= 0) return position;
  return Math.max(
    0,
    records.findIndex(({ fields }) => !isComment(fields)),
  );
}

function isComment(fields: readonly string[]): boolean {
  return fields[0]!.startsWith("#");
}

/** A header may be written as a comment: # file mos. */
function withoutHash(fields: readonly string[]): readonly string[] {
  const [first = "", ...others] = fields;
  if (!first.startsWith("#")) return fields;
  const bare = first.replace(/^#\s*/, "");
  return bare === "" ? others : [bare, ...others];
}

function tableOf(all: readonly TableRecord[], problems: readonly Problem[], path: string, choice: ColumnChoice): Table {
  if (all.length === 0) throw new DatasetError(`The CSV ${path} is empty; its first line must name the columns.`);
  const at = headerPosition(all, choice);
  const above = all.slice(0, at).filter(({ fields }) => !isComment(fields));
  const warnings =
    above.length === 0
      ? []
      : [
          `${path}: ${linesText(above.map(({ line }) => line))} above the header ${above.length === 1 ? "is" : "are"} not read.`,
        ];
  const records = all.slice(at + 1);
  const header = [...withoutHash(all[at]!.fields)];
  return { header: withRowNames(header, records), records, problems, warnings, headerLine: all[at]!.line };
}

/** A header that has no name for the numbers in front of each row, as R writes it, gets one. */
function withRowNames(header: string[], records: readonly TableRecord[]): string[] {
  const missing = records.length > 0 && records.every(({ fields }) => fields.length === header.length + 1);
  const numbered = (record: TableRecord, i: number) => Number(record.fields[0]) - i === Number(records[0]!.fields[0]);
  return missing && records.every(numbered) ? ["", ...header] : header;
}

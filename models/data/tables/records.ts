import { CsvError, parse } from "csv-parse/sync";
import type { Problem } from "../problems.ts";

/** The fields of a record and the line it ends on, from 1. */
export interface TableRecord {
  readonly fields: readonly string[];
  readonly line: number;
}

/** How the fields of a line are told apart. */
export interface Dialect {
  /** What csv-parse splits at. */
  readonly delimiter: string;
  /** Blanks that stand for one delimiter, outside quotes. */
  readonly blanks?: RegExp;
}

export const dialects: readonly Dialect[] = [
  { delimiter: "," },
  { delimiter: ";" },
  { delimiter: "\t" },
  { delimiter: "|" },
  { delimiter: "\t", blanks: /[ \t]{2,}/g },
  { delimiter: "\t", blanks: /[ \t]+/g },
];

/** A record over more lines than this is none: a quote was not closed. */
const mostLines = 50;

/**
 * The records of a text whose lines end with \n. Quotes that stand inside a field or are not closed are taken as letters
 * where the line then has as many fields as another; other lines that cannot be read are problems.
 */
export function recordsOf(text: string, dialect: Dialect): { records: TableRecord[]; problems: Problem[] } {
  const { delimiter } = dialect;
  const plain = withStraightQuotes(dialect.blanks ? withTabs(text, dialect.blanks) : text, delimiter);
  const quick = parsed(plain, delimiter);
  const width = quick?.[0]?.fields.length;
  const sound = quick?.every(({ fields }) => fields.length === width || !fields.some((field) => field.includes("\n")));
  const result = quick && sound ? { records: quick, problems: [] } : lineByLine(plain, delimiter);
  const records = result.records.map(({ fields, line }) => ({ fields: fields.map(unwrapped), line }));
  return { records: records.filter(({ fields }) => fields.some((field) => field !== "")), problems: result.problems };
}

/** Undefined when a quote is amiss: csv-parse then loses lines beside the one at fault. */
function parsed(text: string, delimiter: string, quote: '"' | null = '"'): TableRecord[] | undefined {
  try {
    const records = parse(text, {
      delimiter,
      quote,
      record_delimiter: "\n",
      info: true,
      bom: true,
      trim: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
    return records.map(({ record, info }) => ({ fields: record, line: info.lines }));
  } catch (error) {
    if (error instanceof CsvError) return undefined;
    throw error;
  }
}

function lineByLine(text: string, delimiter: string): { records: TableRecord[]; problems: Problem[] } {
  const lines = text.split("\n");
  const records: TableRecord[] = [];
  const problems: Problem[] = [];
  const widths = new Set<number>();
  for (let i = 0; i < lines.length; i++) {
    if (lines[i]!.trim() === "") continue;
    const start = i;
    while (i < lines.length && !lines[i]!.includes('"')) i++;
    if (i > start) {
      for (const { fields, line } of parsed(lines.slice(start, i).join("\n"), delimiter) ?? []) {
        widths.add(fields.length);
        records.push({ fields, line: start + line });
      }
      i--;
      continue;
    }
    const { fields, through } = recordAt(lines, i, delimiter, widths);
    i = through;
    if (fields) {
      widths.add(fields.length);
      records.push({ fields, line: i + 1 });
      continue;
    }
    const line = i + 1;
    const shown = lines[i]!.length > 60 ? `${lines[i]!.slice(0, 60)}…` : lines[i]!;
    const detail = `line ${line}: its quotes do not match: ${shown} Close them, or double those inside a field.`;
    problems.push({ kind: "line", name: "", detail, line });
  }
  return { records, problems };
}

/** The record that begins at a line and the line it goes through; without fields when that cannot be said. */
function recordAt(lines: readonly string[], start: number, delimiter: string, widths: ReadonlySet<number>) {
  const line = lines[start]!;
  const fits = (fields: readonly string[] | undefined) => fields && (widths.size === 0 || widths.has(fields.length));
  const alone = parsed(line, delimiter)?.[0]?.fields;
  if (alone) return { fields: alone, through: start };
  let whole = line;
  for (let end = start + 1; end < Math.min(lines.length, start + mostLines); end++) {
    whole += `\n${lines[end]}`;
    const fields = parsed(whole, delimiter);
    if (fields?.length === 1 && fits(fields[0]!.fields)) return { fields: fields[0]!.fields, through: end };
  }
  const literal = parsed(line, delimiter, null)?.[0]?.fields;
  return { ...(literal && fits(literal) && { fields: literal }), through: start };
}

/** Runs of blanks outside quotes as one tab. */
function withTabs(text: string, blanks: RegExp): string {
  return text
    .replace(/^[ \t]+|[ \t]+$/gm, "")
    .replace(/"[^"\n]*"|[^"]+|"/g, (part) =>
      part.length > 1 && part.startsWith('"') ? part : part.replace(blanks, "\t"),
    );
}

/** Typographic and single quotes around a field become those of CSV. */
function withStraightQuotes(text: string, delimiter: string): string {
  if (!/[“”„‟«»‘’'`]/.test(text)) return text;
  const split = `\\x${delimiter.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const inner = [`[“”„‟]([^\\n“”„‟"]*)[“”]`, `«([^\\n«»"]*)»`, `‘([^\\n"]*?)’`, `'([^\\n"]*?)'`, "`([^\\n\"`]*)[`']"];
  const field = new RegExp(`(^|${split}) *(?:${inner.join("|")}) *(?=${split}|$)`, "gm");
  return text.replace(field, (_, before: string, ...found: (string | undefined)[]) => {
    return `${before}"${found.slice(0, inner.length).find((each) => each !== undefined) ?? ""}"`;
  });
}

/** What a field says without the wrapping of spreadsheets and scripts: ="a.jpg", quotes within quotes. */
function unwrapped(field: string): string {
  const text = field.trim();
  const inside = /^=?"([^"]*(?:"[^"]+"[^"]*)*)"$/.exec(text)?.[1];
  return inside === undefined ? text : inside.trim();
}

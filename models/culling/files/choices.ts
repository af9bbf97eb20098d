import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { nameOfBytes, onDisk, printable } from "../../data/files/file-name.ts";
import { reasonOf } from "../../data/files/reason-of.ts";
import type { Choice } from "./plan.ts";
import { isThere } from "./step.ts";

/** A file of choices cannot be used; the message says why. */
export class ChoicesError extends Error {
  override name = "ChoicesError";
}

const choiceForm = z.object({ path: z.string().min(1), decision: z.enum(["keep", "reject"]) });
const jsonForm = z.object({ choices: z.array(z.unknown()) }).or(z.object({ pictures: z.array(z.unknown()) }));

/**
 * Reads which pictures are kept: CSV with the columns `path` and `decision`, or JSON with `choices` (or `pictures`) that have them; what the contact sheet exports, and what
 * `--csv` and `--json` write. Rows without a decision, such as those with an error, are passed over.
 * @throws ChoicesError when it is neither, or a decision is neither `keep` nor `reject`
 */
export function readChoices(file: string): Choice[] {
  let text: string;
  try {
    text = readFileSync(onDisk(file), "utf8").replace(/^\ufeff/, "");
  } catch (error) {
    throw new ChoicesError(`--choices ${printable(file)}: it cannot be read: ${reasonOf(error)}`);
  }
  const wrong = (what: string) => new ChoicesError(`--choices ${printable(file)}: ${what}`);
  const rows = /^\s*[{[]/.test(text) ? fromJson(text, wrong) : fromCsv(text, wrong);
  const choices = new Map<string, Choice>();
  rows.forEach((row, i) => {
    const { decision } = (row ?? {}) as { decision?: unknown };
    if (decision === undefined || decision === "") return;
    const choice = choiceForm.safeParse(row);
    if (!choice.success) {
      throw wrong(`row ${i + 1} needs a path, and keep or reject as its decision; it has ${JSON.stringify(row)}`);
    }
    const path = named(choice.data.path);
    const known = choices.get(path);
    if (known && known.decision !== choice.data.decision) throw wrong(`${printable(path)} is both kept and rejected`);
    choices.set(path, { path, decision: choice.data.decision });
  });
  if (choices.size === 0) throw wrong("it has no choice; it needs the columns path and decision");
  return [...choices.values()];
}

function fromJson(text: string, wrong: (what: string) => Error): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`it is no JSON: ${(error as Error).message}`);
  }
  const form = jsonForm.safeParse(value);
  if (!form.success) throw wrong("it is JSON without a list `choices` or `pictures`");
  return "choices" in form.data ? form.data.choices : form.data.pictures;
}

function fromCsv(text: string, wrong: (what: string) => Error): unknown[] {
  let rows: Record<string, string>[];
  try {
    rows = parse(text, { columns: true, skip_empty_lines: true });
  } catch (error) {
    throw wrong(`it is no CSV: ${(error as Error).message}`);
  }
  for (const column of ["path", "decision"]) {
    if (rows[0] && !(column in rows[0])) throw wrong(`it has no column ${column}`);
  }
  return rows;
}

/** The file that a text names: bytes that are no UTF-8 stand in texts as `\xE4`. */
function named(text: string): string {
  if (!/\\x[0-9A-F]{2}/.test(text) || isThere(text)) return text;
  const pieces = text
    .split(/(\\x[0-9A-F]{2})/)
    .map((piece, i) => (i % 2 === 1 ? Buffer.from([Number.parseInt(piece.slice(2), 16)]) : Buffer.from(piece)));
  const path = nameOfBytes(Buffer.concat(pieces));
  return isThere(path) ? path : text;
}

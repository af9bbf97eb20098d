import { dirname } from "node:path";
import { expectNames } from "../../engine/arguments.ts";
import { listFolder } from "../data/files/folder.ts";
import { type Found, PictureFinder } from "../data/files/picture-finder.ts";
import { type Dataset, DatasetError, type Row } from "../data/index.ts";
import { libraryWords, type OptionWords } from "../data/option-words.ts";
import { foundPictures } from "../data/rows.ts";
import { chooseColumns, columnIndex } from "../data/tables/columns.ts";
import { numberColumn } from "../data/tables/numbers.ts";
import { readTable, type Table } from "../data/tables/table.ts";
import { type Answer, type LabelFacts, LabelReader, type LearnerOptions } from "./pseudo-label.ts";

export interface PseudoLabelOptions extends LearnerOptions {
  /** A file as `acutance label` writes it, or another with names and a class, probabilities or a score. */
  readonly csv: string;
  /** Folder of its pictures. @default that of the file */
  readonly folder?: string;
  /** Paths of its pictures by their names, in place of a folder. */
  readonly pictures?: ReadonlyMap<string, string>;
  /** What a label weighs in the loss: the column `confidence`, or 1. @default "confidence" */
  readonly weight?: "confidence" | "one";
  /** Labels of less confidence are left out. @default 0 */
  readonly leastConfidence?: number;
  /** How messages call these options. @default by their names here */
  readonly words?: PseudoLabelWords;
}

/** How messages call the options by which a user can mend what they tell of. */
export interface PseudoLabelWords {
  readonly columns: OptionWords["columns"];
  readonly folder: string;
  readonly weight: string;
  readonly leastConfidence: string;
  readonly target: string;
  readonly levels: string;
}

const ownWords: PseudoLabelWords = {
  columns: libraryWords.columns,
  folder: "folder",
  weight: "weight",
  leastConfidence: "leastConfidence",
  target: "target",
  levels: "levels",
};

const names = {
  csv: true,
  folder: true,
  pictures: true,
  weight: true,
  leastConfidence: true,
  target: true,
  head: true,
  levels: true,
  ordinal: true,
  range: true,
  words: true,
} satisfies Record<keyof PseudoLabelOptions, true>;

/** A picture with what another model says of it. */
export type PseudoLabelledRow = Row & { readonly mos: number; readonly weight: number };

/** Labels as a data set, whose rows a training takes behind its labelled ones. */
export interface PseudoLabels extends Dataset {
  readonly rows: readonly PseudoLabelledRow[];
  /** Lines without a label: their pictures could not be labelled. */
  readonly failed: number;
  /** Labels of less confidence than was asked for, or of no weight. */
  readonly unsure: number;
}

/** Problems that a refusal tells in full. */
const shownProblems = 5;

/**
 * Reads labels that a model gave, for a network that is to learn them. A line with an error is passed over.
 * @throws DatasetError when a line says what cannot be learned, naming lines, values and what is allowed: a picture that is not there or
 * is there twice, an unknown class, probabilities that do not add up, a confidence or score outside its range; when there are other
 * classes or levels than the network's, or no column to learn from or to weigh by
 */
export async function loadPseudoLabels(options: PseudoLabelOptions): Promise<PseudoLabels> {
  expectNames("loadPseudoLabels", options, names);
  const { csv, folder = dirname(csv), weight = "confidence", leastConfidence = 0, words = ownWords } = options;
  const table = await readTable(csv, { mos: false });
  const others = { mos: false, sd: false, group: false, split: false } as const;
  const { columns, warnings } = chooseColumns(table, others, csv, { ...libraryWords, columns: words.columns });
  const facts = factsOf(table);
  const reader = new LabelReader(facts.columns, options, { ...words, file: csv });
  const weighs = weight === "confidence" || leastConfidence > 0;
  if (weighs && !facts.columns.includes("confidence")) {
    const asked = weight === "confidence" ? `${words.weight} one gives every label the same` : "leave it out";
    const by = weight === "confidence" ? words.weight : words.leastConfidence;
    throw new DatasetError(`${csv} has no column confidence, which ${by} needs; ${asked}.`);
  }
  const pictures = options.pictures
    ? namedPictures(table, columns.name, options.pictures)
    : await picturesIn(folder, table, columns.name, csv);
  const faults = table.problems.map(({ detail }) => detail);
  const rows: PseudoLabelledRow[] = [];
  const seen = new Map<string, number>();
  let [failed, unsure, lost] = [0, 0, false];
  table.records.forEach(({ fields, line }, i) => {
    const called = fields[columnIndex(table, columns.name)]?.trim() ?? "";
    const fault = (why: string) => faults.push(`line ${line}: ${called ? `${called}: ` : ""}${why}`);
    const answer = facts.read(fields);
    if (answer.failed) {
      failed++;
      return;
    }
    const found = pictures[i]!;
    if (!("path" in found)) {
      lost = true;
      fault(found.why);
      return;
    }
    const earlier = seen.get(found.path);
    if (earlier !== undefined) {
      fault(`it is already on line ${earlier}; leave one of them out.`);
      return;
    }
    seen.set(found.path, line);
    const read = reader.read(answer);
    const sure = answer.number("confidence");
    if (typeof read === "string") fault(read);
    else if (weighs && !(sure >= 0 && sure <= 1))
      fault(`the confidence "${answer.text("confidence")}" is not a number from 0 to 1.`);
    else {
      const own = weight === "confidence" ? sure : 1;
      if ((weighs && sure < leastConfidence) || own === 0) unsure++;
      else rows.push({ name: called, path: found.path, ...read, weight: own });
    }
  });
  if (faults.length > 0)
    throw new DatasetError(refusal(csv, faults, lost ? `The folder is ${folder}; ${words.folder} names another.` : ""));
  if (rows.length === 0) {
    throw new DatasetError(
      `${csv} has no label to learn from: ${failed} lines with an error, ${unsure} of less confidence than ${words.leastConfidence} ${leastConfidence} or of none.`,
    );
  }
  return { rows, problems: [], warnings: [...table.warnings, ...warnings], excluded: 0, failed, unsure };
}

async function picturesIn(folder: string, table: Table, name: string, csv: string): Promise<readonly Found[]> {
  const { pictures } = await listFolder(folder);
  return foundPictures(table, { name }, new PictureFinder(folder, pictures), dirname(csv)).pictures;
}

function namedPictures(table: Table, name: string, paths: ReadonlyMap<string, string>): Found[] {
  const at = columnIndex(table, name);
  return table.records.map(({ fields }) => {
    const path = paths.get(fields[at] ?? "");
    return path === undefined ? { why: "there is no such picture." } : { path, by: "exact" };
  });
}

function refusal(csv: string, faults: readonly string[], advice: string): string {
  const more = faults.length > shownProblems ? [`and ${faults.length - shownProblems} lines more`] : [];
  const lines = [...faults.slice(0, shownProblems), ...more, ...(advice ? [advice] : [])];
  return `${csv} cannot be learned from; mend or leave out its lines:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** The columns of a table by their names in lower case, and what a line says. */
function factsOf(
  table: Table,
): LabelFacts & { read(fields: readonly string[]): Answer & { readonly failed: boolean } } {
  const columns = table.header.map((column) => column.trim().toLowerCase());
  const numbers = new Map(
    columns.map((column, at) => [
      column,
      numberColumn(
        column,
        table.records.map(({ fields }) => fields[at] ?? ""),
      ),
    ]),
  );
  return {
    columns,
    read(fields) {
      const text = (column: string) => fields[columns.indexOf(column)]?.trim() ?? "";
      const number = (column: string) =>
        columns.includes(column) ? numbers.get(column)!.read(text(column)) : Number.NaN;
      return { text, number, failed: columns.includes("error") && text("error") !== "" };
    },
  };
}

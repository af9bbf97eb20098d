import type { Found, PictureFinder } from "./files/picture-finder.ts";
import { pictureKey } from "./files/picture-names.ts";
import type { OptionWords } from "./option-words.ts";
import { linesText, type Problem } from "./problems.ts";
import type { MosRange } from "./range.ts";
import { type Columns, columnIndex } from "./tables/columns.ts";
import { type NumberColumn, numberColumn, whyNoNumber } from "./tables/numbers.ts";
import type { TableRecord } from "./tables/records.ts";
import type { Table } from "./tables/table.ts";

/** One picture of a data set. */
export interface Row {
  /** Unique within the data set: the name in the CSV, or the path below the folder. */
  readonly name: string;
  /** Where the file is. */
  readonly path: string;
  /** Mean opinion score on the scale of the data set; absent when the picture is not rated. */
  readonly mos?: number;
  /** Standard deviation of the opinions, same units. */
  readonly sd?: number;
  /** How often each grade was given, worst first: counts or shares, at least one above 0. */
  readonly histogram?: readonly number[];
  /** Pictures of one group (scene, reference) belong in the same part of a split. */
  readonly group?: string;
  /** The part the authors of the data set put it in. */
  readonly split?: string;
  /** What another model says of it, as the head that learns it takes labels; without it, it has that of its score. */
  readonly label?: readonly number[];
  /** What it weighs in the loss, of a picture that another model labelled; absent when people rated it. */
  readonly weight?: number;
}

/**
 * The picture of every record, by its name. A name that fits a picture exactly has it before others that are alike; two names
 * that could only be guessed to be one picture are not guessed.
 * @param base folder that names may be relative to; without one, nothing is guessed
 */
export function foundPictures(
  { header, records }: Pick<Table, "header" | "records">,
  columns: Columns,
  finder: PictureFinder,
  base: string | undefined,
): { pictures: readonly Found[]; warnings: string[] } {
  const at = columnIndex({ header }, columns.name);
  const names = records.map(({ fields }) => fields[at]?.trim() ?? "");
  const located = names.map((name): Found => {
    if (base !== undefined) return finder.locate(name, base);
    const path = finder.find(name);
    return typeof path === "string" ? { path, by: "similar" } : path;
  });
  const claims = Map.groupBy(
    located.flatMap((found, i) => ("path" in found ? [{ ...found, i, name: names[i]! }] : [])),
    ({ path }) => path,
  );
  const line = (i: number) => records[i]!.line;
  const pictures = located.map((found, i): Found => {
    if (!("path" in found)) return found;
    const others = claims
      .get(found.path)!
      .filter(({ name }) => pictureKey(name) !== pictureKey(names[i]!) || name !== names[i]);
    const better = others.find(({ by }) => by === "exact" || (by === "similar" && found.by === "guess"));
    if (better && found.by !== "exact")
      return { why: `there is no such picture; the one alike is ${better.name} on line ${line(better.i)}.` };
    const rival = found.by === "guess" && others.find(({ name }) => pictureKey(name) !== pictureKey(names[i]!));
    if (!rival) return found;
    return {
      why: `the only picture alike, ${found.path}, could as well be ${rival.name} on line ${line(rival.i)}; give its path.`,
    };
  });
  const guessed = pictures.flatMap((found, i) => ("path" in found && found.by === "guess" ? [{ ...found, i }] : []));
  const first = guessed[0];
  const warnings = first
    ? [
        `${guessed.length} names are found only without their folders or with another extension, such as ${first.path} for ${names[first.i]} (${linesText(guessed.map(({ i }) => line(i)))}).`,
      ]
    : [];
  return { pictures, warnings };
}

/** Turns a record into a row or a problem; remembers pictures to see duplicates. */
export class RowReader {
  readonly #columns: Columns;
  readonly #header: readonly string[];
  readonly #words: OptionWords;
  readonly #range: MosRange | undefined;
  readonly #classes: number | undefined;
  readonly #turned: boolean;
  readonly #numbers = new Map<string, NumberColumn>();
  readonly #seenAt = new Map<string, number>();
  readonly #unrated: number[] = [];
  readonly #badSd: number[] = [];
  readonly #comments: number[] = [];

  constructor(given: {
    readonly table: Table;
    readonly columns: Columns;
    readonly range: MosRange | undefined;
    /** The scores are classes, so many. */
    readonly classes?: number | undefined;
    /** The scores are turned round within the range. */
    readonly turned: boolean;
    readonly words: OptionWords;
  }) {
    const { table, columns, range, classes, turned, words } = given;
    this.#columns = columns;
    this.#header = table.header;
    this.#words = words;
    this.#range = range;
    this.#classes = classes;
    this.#turned = turned;
    for (const column of [columns.mos, columns.sd, ...(columns.histogram ?? [])]) {
      if (column === undefined) continue;
      const at = columnIndex(table, column);
      this.#numbers.set(
        column,
        numberColumn(
          column,
          table.records.map(({ fields }) => fields[at] ?? ""),
        ),
      );
    }
  }

  /** `comment: true` for a line that is neither. */
  read(record: TableRecord, found: Found): Row | Problem | { readonly comment: true } {
    const { fields, line } = record;
    const field = (column: string | undefined) =>
      column === undefined ? "" : (fields[columnIndex({ header: this.#header }, column)]?.trim() ?? "");
    const name = field(this.#columns.name);
    const problem = (kind: Problem["kind"], detail: string): Problem => ({
      kind,
      line,
      name,
      detail: `line ${line}: ${detail}`,
    });
    if (fields[0]?.startsWith("#") && !("path" in found)) {
      this.#comments.push(line);
      return { comment: true };
    }
    if (fields.slice(this.#header.length).some((extra) => extra.trim() !== "")) {
      return problem(
        "line",
        `it has ${fields.length} fields (${fields.join(" | ")}), the header has ${this.#header.length}: put names and numbers that hold the delimiter in quotes.`,
      );
    }
    if (name === "") return problem("name", `column "${this.#columns.name}" is empty.`);
    if (!("path" in found)) return problem("missing", `${name}: ${found.why}`);
    const { path } = found;
    const earlier = this.#seenAt.get(path);
    if (earlier !== undefined) {
      return problem(
        "duplicate",
        `${name}: it is already on line ${earlier}, which is kept. Single ratings of a picture must be averaged before.`,
      );
    }
    const mosText = field(this.#columns.mos);
    const mos = mosText === "" ? undefined : this.#number(this.#columns.mos!, mosText);
    const classes = this.#classes;
    if (mos !== undefined && classes !== undefined && !(Number.isInteger(mos) && mos >= 0 && mos < classes)) {
      return problem(
        "mos",
        `${name}: the class "${mosText}" is none; there are ${classes}, 0 (the lowest quality) to ${classes - 1}.`,
      );
    }
    if (Number.isNaN(mos))
      return problem("mos", `${name}: the MOS "${mosText}" is not a number; ${whyNoNumber(mosText)}`);
    if (mos !== undefined && this.#range && (mos < this.#range[0] || mos > this.#range[1])) {
      return problem("mos", `${name}: the MOS ${mos} lies outside the range [${this.#range.join(", ")}].`);
    }
    this.#seenAt.set(path, line);
    if (mos === undefined) this.#unrated.push(line);
    const sdText = field(this.#columns.sd);
    const sd = sdText === "" ? undefined : this.#number(this.#columns.sd!, sdText);
    const sdIsGood = sd === undefined || sd >= 0;
    if (!sdIsGood) this.#badSd.push(line);
    const histogram = this.#columns.histogram?.map((column) => this.#number(column, field(column)));
    if (this.#turned) histogram?.reverse();
    const group = field(this.#columns.group);
    const split = field(this.#columns.split);
    return {
      name,
      path,
      ...(mos === undefined ? {} : { mos: this.#turned ? this.#range![0] + this.#range![1] - mos : mos }),
      ...(sd === undefined || !sdIsGood ? {} : { sd }),
      ...(isHistogram(histogram) ? { histogram } : {}),
      ...(group === "" ? {} : { group }),
      ...(split === "" ? {} : { split }),
    };
  }

  #number(column: string, text: string): number {
    return this.#numbers.get(column)!.read(text);
  }

  warnings(): string[] {
    const { mos, sd } = this.#columns;
    const warnings = [...this.#numbers.values()].flatMap((column) => column.warnings);
    if (mos !== undefined && /dmos/i.test(mos) && !this.#turned) {
      warnings.push(
        `Column "${mos}" is taken as it is, higher meaning better; in some data sets DMOS runs the other way: set ${this.#words.lowerIsBetter}.`,
      );
    }
    if (mos !== undefined && this.#unrated.length > 0) {
      warnings.push(
        `${this.#unrated.length} rows have an empty "${mos}" and count as unrated (${linesText(this.#unrated)}).`,
      );
    }
    if (this.#badSd.length > 0) {
      warnings.push(
        `${this.#badSd.length} rows have a "${sd}" that is no non-negative number; it is left out (${linesText(this.#badSd)}).`,
      );
    }
    if (this.#comments.length > 0) {
      const one = this.#comments.length === 1;
      warnings.push(
        `The ${linesText(this.#comments)} ${one ? "begins" : "begin"} with # and ${one ? "is" : "are"} taken for ${one ? "a comment" : "comments"}.`,
      );
    }
    return warnings;
  }
}

function isHistogram(counts: readonly number[] | undefined): counts is readonly number[] {
  return counts?.every((count) => count >= 0) === true && counts.some((count) => count > 0);
}

import type { PictureFinder } from "../files/picture-finder.ts";
import { libraryWords, type OptionWords } from "../option-words.ts";
import { DatasetError } from "../problems.ts";
import { type ColumnChoice, candidateColumns, columnPosition, type TableField, tableFields } from "./column-names.ts";
import { numberColumn } from "./numbers.ts";
import type { Table } from "./table.ts";

export type { ColumnChoice } from "./column-names.ts";

/** Which CSV column holds what, by the names in its header. */
export interface Columns {
  readonly name: string;
  readonly mos?: string;
  readonly sd?: string;
  readonly group?: string;
  readonly split?: string;
  /** Columns of the counts of grades, worst first. */
  readonly histogram?: readonly string[];
}

/** Position of a column by its exact name, or else its name in any case; -1 when absent. */
export function columnIndex(table: Pick<Table, "header">, column: string): number {
  return columnPosition(table.header, column);
}

/**
 * Settles which column holds what: as given, or recognised by common names in any case.
 * @throws DatasetError listing the columns found and the options to name them with, when a given column is absent, or
 * when the name or the MOS is not recognised
 */
export function chooseColumns(
  table: Table,
  choice: ColumnChoice,
  csv: string,
  words: OptionWords = libraryWords,
): { columns: Columns; warnings: string[] } {
  const found = table.header
    .filter(Boolean)
    .map((column) => `"${column}"`)
    .join(", ");
  const chosen: Partial<Record<TableField, string>> = {};
  const warnings: string[] = [];
  for (const field of tableFields) {
    const given = choice[field];
    if (given === false) continue;
    if (given === undefined) {
      const [recognised, ...others] = candidateColumns(table.header, field);
      if (recognised !== undefined) chosen[field] = recognised;
      if (others.length > 0) warnings.push(...severalColumns(table, field, [recognised!, ...others], words));
      continue;
    }
    const index = columnPosition(table.header, given);
    if (index < 0)
      throw new DatasetError(`${words.columns[field]} names "${given}", which ${csv} does not have; it has ${found}.`);
    chosen[field] = table.header[index]!;
    const twins = table.header.filter((column) => column === table.header[index]);
    if (twins.length > 1) warnings.push(...severalColumns(table, field, twins, words));
  }
  for (const field of ["name", "mos"] as const) {
    if (chosen[field] !== undefined || choice[field as "mos"] === false) continue;
    const what = field === "name" ? "the picture's file name" : "the MOS";
    throw new DatasetError(
      `No column of ${csv} is recognised as ${what}; it has ${found}. Say which one it is with ${words.columns[field]}.${field === "mos" ? words.namesOnly : ""}`,
    );
  }
  const histogram = gradeColumns(table);
  return { columns: { ...chosen, name: chosen.name!, ...(histogram && { histogram }) }, warnings };
}

/** Says which of several columns is read, where they say different things. */
function severalColumns({ header, records }: Table, field: TableField, all: readonly string[], words: OptionWords) {
  if (field !== "name" && field !== "mos" && new Set(all).size === all.length) return [];
  const positions = header.flatMap((column, i) => (all.includes(column) ? [i] : []));
  if (records.every(({ fields }) => positions.every((at) => fields[at] === fields[positions[0]!]))) return [];
  const twins = new Set(all).size < all.length;
  return [
    twins
      ? `Several columns are called "${all[0]}" and differ; the first is read. Give them different names.`
      : `The columns ${all.map((column) => `"${column}"`).join(", ")} could each be the ${field === "mos" ? "MOS" : field}; "${all[0]}" is read. ${words.columns[field]} names another.`,
  ];
}

/** Columns c1, c2, … of a table, as in KonIQ-10k; undefined for fewer than two. */
function gradeColumns(table: Table): string[] | undefined {
  const columns: string[] = [];
  for (let grade = 1; table.header.includes(`c${grade}`); grade++) columns.push(`c${grade}`);
  return columns.length > 1 ? columns : undefined;
}

/**
 * A table whose first line is a row of data as one whose columns are called "column 1", "column 2" and so on; the one with
 * pictures is the name, the only one of numbers the MOS. Others are returned as they are.
 */
export function withHeader(
  table: Table,
  finder: PictureFinder,
  choice: ColumnChoice,
  csv: string,
): { table: Table; choice: ColumnChoice } {
  const given = tableFields.some((field) => choice[field] && columnPosition(table.header, choice[field]) >= 0);
  const isPicture = (field: string) => field !== "" && "path" in finder.locate(field);
  const nameAt = table.header.findIndex(isPicture);
  if (nameAt < 0 || given) return { table, choice };
  const records = [{ fields: table.header, line: table.headerLine ?? 1 }, ...table.records];
  const header = Array.from(
    { length: Math.max(...records.slice(0, 100).map(({ fields }) => fields.length)) },
    (_, i) => `column ${i + 1}`,
  );
  const numeric = header.flatMap((_, i) => {
    const { read } = numberColumn(
      "",
      records.map(({ fields }) => fields[i] ?? ""),
    );
    const numbers = records.filter(({ fields }) => Number.isFinite(read(fields[i] ?? ""))).length;
    return i !== nameAt && numbers > records.length / 2 ? [header[i]!] : [];
  });
  const name = header[nameAt]!;
  const mos = numeric.length === 1 ? numeric[0] : undefined;
  const read =
    mos === undefined
      ? `"${name}" is taken for the pictures`
      : `"${name}" is taken for the pictures, "${mos}" for the MOS`;
  return {
    table: {
      ...table,
      header,
      records,
      warnings: [...table.warnings, `The first line of ${csv} is no header but a row; ${read}.`],
    },
    choice: { name, ...(mos !== undefined && { mos }), ...choice },
  };
}

import { DatasetError } from "./problems.ts";
import type { Table } from "./table.ts";

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

/** Column names given by the user; a field left out is recognised, `false` is not read. */
export interface ColumnChoice {
  readonly name?: string;
  readonly mos?: string | false;
  readonly sd?: string | false;
  readonly group?: string | false;
  readonly split?: string | false;
}

type Field = Exclude<keyof Columns, "histogram">;

// Compared in lower case without spaces, dashes and underscores; the first that is present wins.
const CANDIDATES: Record<Field, readonly string[]> = {
  name: [
    "imagename",
    "file",
    "filename",
    "image",
    "name",
    "img",
    "imagepath",
    "filepath",
    "path",
    "distname",
    "picture",
  ],
  mos: ["mos", "meanopinionscore", "score", "quality", "rating", "mosvalue", "dmos"],
  sd: ["sd", "std", "stddev", "mosstd", "mossd", "standarddeviation"],
  group: ["group", "scene", "ref", "refname", "reference", "content"],
  split: ["split", "set", "subset", "partition"],
};

const normalise = (column: string) => column.toLowerCase().replace(/[\s_-]/g, "");

/** Position of a column by its exact name, or else its name in any case; -1 when absent. */
export function columnIndex(table: Table, column: string): number {
  const exact = table.header.indexOf(column);
  return exact >= 0 ? exact : table.header.findIndex((other) => other.toLowerCase() === column.trim().toLowerCase());
}

/**
 * Settles which column holds what: as given, or recognised by common names in any case.
 * @throws DatasetError listing the columns found and the options to name them with, when a given column is absent, or
 * when the name or the MOS is not recognised
 */
export function chooseColumns(table: Table, choice: ColumnChoice, csv: string): Columns {
  const found = table.header.map((column) => `"${column}"`).join(", ");
  const chosen: Partial<Record<Field, string>> = {};
  for (const field of Object.keys(CANDIDATES) as Field[]) {
    const given = choice[field];
    if (given === false) continue;
    if (given !== undefined) {
      const index = columnIndex(table, given);
      if (index < 0) {
        throw new DatasetError(`columns.${field} names "${given}", which ${csv} does not have; it has ${found}.`);
      }
      chosen[field] = table.header[index]!;
      continue;
    }
    const recognised = recognise(table, field);
    if (recognised !== undefined) chosen[field] = recognised;
  }
  for (const field of ["name", "mos"] as const) {
    if (chosen[field] !== undefined || choice[field as "mos"] === false) continue;
    const what = field === "name" ? "the picture's file name" : "the MOS";
    const unrated = field === "mos" ? " To read names only, set columns.mos to false." : "";
    throw new DatasetError(
      `No column of ${csv} is recognised as ${what}; it has ${found}. Say which one it is with columns.${field}.${unrated}`,
    );
  }
  const histogram = gradeColumns(table);
  return { ...chosen, name: chosen.name!, ...(histogram && { histogram }) };
}

/** Columns c1, c2, … of a table, as in KonIQ-10k; undefined for fewer than two. */
function gradeColumns(table: Table): string[] | undefined {
  const columns: string[] = [];
  for (let grade = 1; table.header.includes(`c${grade}`); grade++) columns.push(`c${grade}`);
  return columns.length > 1 ? columns : undefined;
}

function recognise(table: Table, field: Field): string | undefined {
  for (const candidate of CANDIDATES[field]) {
    const column = table.header.find((other) => normalise(other) === candidate);
    if (column !== undefined) return column;
  }
  return undefined;
}

import type { TableField } from "./tables/column-names.ts";

/** How messages call the options by which a user can mend what they tell of; the command line has its own names for them. */
export interface OptionWords {
  readonly columns: Readonly<Record<TableField, string>>;
  readonly folder: string;
  readonly range: string;
  readonly lowerIsBetter: string;
  readonly exclude: string;
  readonly strata: string;
  /** A sentence on how to read names only; empty where that cannot be asked for. */
  readonly namesOnly: string;
}

export const libraryWords: OptionWords = {
  columns: {
    name: "columns.name",
    mos: "columns.mos",
    sd: "columns.sd",
    group: "columns.group",
    split: "columns.split",
  },
  folder: "folder",
  range: "range",
  lowerIsBetter: "lowerIsBetter",
  exclude: "exclude",
  strata: "strata",
  namesOnly: " To read names only, set columns.mos to false.",
};

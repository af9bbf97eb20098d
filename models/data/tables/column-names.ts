/** Fields of a row that a column of a table is recognised as. */
export const tableFields = ["name", "mos", "sd", "group", "split"] as const;
export type TableField = (typeof tableFields)[number];

/** Column names given by the user; a field left out is recognised, `false` is not read. */
export interface ColumnChoice {
  readonly name?: string;
  readonly mos?: string | false;
  readonly sd?: string | false;
  readonly group?: string | false;
  readonly split?: string | false;
}

// Compared in lower case without blanks, dashes, underscores, dots and brackets; the first that is present wins.
const candidates: Record<TableField, readonly string[]> = {
  name: (
    "imagename file filename image name img imagefile imagefilename imgname imagepath filepath path distname distimg picture " +
    "picturename photo imageid url imageurl"
  ).split(" "),
  mos: ["mos", "meanopinionscore", "score", "quality", "rating", "mosvalue", "mosscore", "meanscore", "dmos"],
  sd: ["sd", "std", "stddev", "mosstd", "mossd", "standarddeviation"],
  group: ["group", "scene", "ref", "refname", "reference", "content"],
  split: ["split", "set", "subset", "partition"],
};

const normalise = (column: string) =>
  column
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s_.()[\]-]/g, "");

/** The columns that could hold a field by their names, the likeliest first. */
export function candidateColumns(header: readonly string[], field: TableField): string[] {
  const plain = header.map(normalise);
  return candidates[field].flatMap((word) => header.filter((_, i) => plain[i] === word));
}

/** Position of a column by its exact name, or else its name in any case; -1 when absent. */
export function columnPosition(header: readonly string[], column: string): number {
  const exact = header.indexOf(column);
  const wanted = column.normalize("NFC").trim().toLowerCase();
  return exact >= 0 ? exact : header.findIndex((other) => other.normalize("NFC").toLowerCase() === wanted);
}

/** Which fields the header has a column for: as given, or recognised. */
export function fieldsOf(header: readonly string[], choice: ColumnChoice): Set<TableField> {
  const has = (field: TableField) => {
    const given = choice[field];
    if (given === false) return false;
    if (given !== undefined) return columnPosition(header, given) >= 0;
    return candidateColumns(header, field).length > 0;
  };
  return new Set(tableFields.filter(has));
}

import { dash, decimals, numberOf, sum } from "../report-parts.ts";
import type { ClassRow, ClassTable, ExperimentRecord, MeanWithError } from "./experiment-record.ts";

/** With more classes than these, columns and constants are those that matter. */
const mostClasses = 8;

/** What is to be said of each variant beside the constants. */
export function classSentences({ rows }: ClassTable): string[] {
  return rows.flatMap(({ sentence }) => sentence ?? []);
}

/** Says what the numbers of a class table are. */
export function classCaption({ classes, counts, eachOnce }: ClassTable, { baseline }: ExperimentRecord): string {
  const pictures = `${sum(counts)} pictures of ${classes} classes (${counts.join(", ")})`;
  const all = eachOnce
    ? "MAE: over all pictures, each tested once, ± standard error over the pictures, in which what one training differs from another is not counted"
    : "MAE: over the pictures of all repeats together, some of which are tested more than once";
  const difference = eachOnce ? "picture by picture" : "repeat by repeat";
  return `${pictures}. ${all}; Δ: minus ${baseline}, ${difference}, with its 95 % interval. The other columns: mean over the repeats ± standard error. Errors are in classes, lower is better; a constant is always right in its own class.`;
}

/** A class table as text: the variants, then the constants, the best of them marked. */
export function classCells(
  table: ClassTable,
  { baseline }: ExperimentRecord,
): { headers: string[]; cells: string[][] } {
  const rows = shownRows(table);
  const compared = rows.some(({ difference }) => difference);
  const shown = [...table.counts.keys()].slice(0, table.classes <= mostClasses ? table.classes : 0);
  const least = Math.min(...rows.flatMap((row) => (row.constant === undefined ? [] : numberOf(row.pooled.mean))));
  const headers = [
    ...["variant", "runs", "MAE"],
    ...(compared ? [`Δ MAE to ${baseline}`] : []),
    ...["MAE by repeat", "accuracy", "macro-F1", "kappa"],
    ...shown.map((own) => `MAE, class ${own}`),
    `MAE, classes ${table.classes - 2} and ${table.classes - 1}`,
  ];
  const cells = rows.map((row) => [
    row.constant !== undefined && row.pooled.mean === least ? `${row.name} (best constant)` : row.name,
    String(row.maes.filter((mae) => mae !== null).length),
    withError(row.pooled),
    ...(compared ? [differenceText(row)] : []),
    ...[row.mae, row.measures.accuracy, row.measures.macroF1, row.measures.quadraticKappa].map(withError),
    ...shown.map((own) => withError(row.maeByClass[own]!)),
    withError(row.maeOfHighestTwo),
  ]);
  return { headers, cells };
}

/** All, or of many classes the variants and the best constant. */
export function shownRows({ rows, classes }: ClassTable): ClassRow[] {
  if (classes <= mostClasses) return [...rows];
  const constants = rows.filter(({ constant }) => constant !== undefined);
  const least = Math.min(...constants.map(({ pooled }) => numberOf(pooled.mean)));
  return rows.filter(({ constant, pooled }) => constant === undefined || pooled.mean === least);
}

function differenceText({ difference }: ClassRow): string {
  if (!difference) return "";
  const signed = (value: unknown) => (numberOf(value) > 0 ? "+" : "") + decimals(value, 3);
  const { mean, low, high } = difference;
  return low === null ? signed(mean) : `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}

function withError({ mean, standardError }: MeanWithError): string {
  if (mean === null) return dash;
  return standardError === null ? decimals(mean, 3) : `${decimals(mean, 3)} ± ${decimals(standardError, 3)}`;
}

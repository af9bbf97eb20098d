import type { Section } from "../page.ts";
import { decimals, numberOf, paragraph } from "../report-parts.ts";
import { classCaption, classCells, classSentences, shownRows } from "./class-cells.ts";
import { dotPlot } from "./dot-plot.ts";
import type { ExperimentRecord } from "./experiment-record.ts";
import { repeatName } from "./experiment-values.ts";

const wholeWidth = 1080;

/** A number of a narrow cell: held together with its sign and its error. */
const set = (text: string) => text.replaceAll("-", "\u2212").replaceAll("± ", "±\u00a0");

/** How classes agree, by variant, beside every constant predictor. */
export function classAgreement(record: ExperimentRecord): Section {
  const tables = record.classTables ?? [];
  const blocks = tables.flatMap((table) => {
    const rows = shownRows(table);
    const svg = dotPlot({
      description: `Mean absolute error in classes: ${rows.map(({ name, pooled }) => `${name} ${decimals(pooled.mean, 3)}`).join(", ")}.`,
      x: { label: `mean absolute error, of ${table.classes} classes` },
      rows: rows.map(({ name, maes, pooled }) => ({ name, values: maes.map(numberOf), middle: numberOf(pooled.mean) })),
      repeats: record.repeats.map(repeatName),
      width: wholeWidth,
    });
    const { headers, cells } = classCells(table, record);
    return [
      {
        kind: "figure" as const,
        svg,
        wide: true,
        caption: "Mean absolute error of each repeat (discs) and over all their pictures (bar); left is better.",
      },
      {
        kind: "table" as const,
        headers,
        rows: cells.map(([name, ...numbers]) => [name!, ...numbers.map(set)]),
        caption: classCaption(table, record),
      },
      ...classSentences(table).map(paragraph),
    ];
  });
  return { title: "Classes of the test part", blocks };
}

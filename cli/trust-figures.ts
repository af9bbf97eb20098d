import type { FifthCoverage, IntervalFigures } from "../models/trust/coverage.ts";
import { percent } from "../models/trust/interval.ts";
import { table } from "./terminal.ts";

/** Prints how often intervals hold people's scores. @param level what they should hold, in words */
export function printCoverage(figures: IntervalFigures, level: string): void {
  const held = percent(figures.coverage);
  console.log(
    `${level} intervals hold the MOS of ${held} of ${Math.round(figures.pictures)} pictures; mean width ${figures.width.toFixed(1)}`,
  );
  const cell = ({ coverage, pictures }: FifthCoverage) =>
    coverage === undefined ? "" : `${percent(coverage)} of ${Math.round(pictures)}`;
  const rows = figures.byMos.map((own, i) => {
    return [`${ends(own.from)} to ${ends(own.to)}`, cell(own), cell(figures.byScore[i]!)];
  });
  console.log(table(["fifth of the scale", "by MOS", "by score"], rows));
}

const ends = (value: number) => String(Number(value.toFixed(2)));

import { stratifiedSplit } from "../stratified.ts";
import { koniq } from "./authentic.ts";
import type { Entry, SetDescription } from "./catalogue.ts";

/** Of the split, which is part of the data set and the same in every training. */
const seed = 1;

/**
 * The part of KOKA10K (Dang et al. 2024) that is public: KonIQ-10k in five classes. The MOS is the class, 0 to 4; cut into five
 * equal widths, as the head `classes` does, [0, 4] gives the same classes. The authors' split is not public: this one is drawn
 * by their rule.
 */
export const koka10k: SetDescription = {
  ...koniq,
  title: "KOKA10K, of KonIQ-10k",
  rated: "photographs of KonIQ-10k, class 0 to 4 by the grade that most gave; 359 labelled by hand are not public",
  range: [0, 4],
  classes: 5,
  officialSplit: "training, validation and test 8:1:1 of each class, drawn here, for the authors' is not public",
  async read(files) {
    const graded = (await koniq.read(files)).map(({ name, histogram, line }) => ({
      ...{ name, mos: largestShare(histogram!) },
      ...(line !== undefined && { line }),
    }));
    const parts = stratifiedSplit(
      graded.filter(({ mos }) => Number.isFinite(mos)),
      { parts: { training: 8, validation: 1, test: 1 }, seed, classOf: ({ mos }) => mos },
    );
    const partOf = new Map(Object.entries(parts).flatMap(([part, rows]) => rows.map((row) => [row, part] as const)));
    return graded.map((row): Entry => {
      const part = partOf.get(row);
      return { ...row, ...(part !== undefined && { split: part }) };
    });
  },
};

/** The grade with the largest share, from 0, of equals the lowest; NaN when the shares are none. */
function largestShare(histogram: readonly (number | string)[]): number {
  const shares = histogram.map(Number);
  const largest = Math.max(...shares);
  return largest > 0 && Number.isFinite(largest) ? shares.indexOf(largest) : Number.NaN;
}

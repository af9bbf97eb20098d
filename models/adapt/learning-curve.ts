import type { AdaptableHead } from "./adaptable-head.ts";
import { heldOut } from "./cross-validation.ts";
import type { Sample } from "./tilt-fit.ts";

/** What more ratings would bring. */
export interface LearningCurve {
  /** Mean number of ratings that fits learned from, and the figure on pictures that they had not seen. */
  readonly points: readonly { readonly ratings: number; readonly figure: number }[];
  /** The figure that is to be expected with twice and four times the ratings, by figure = a − b / √n through the points. */
  readonly expected: readonly { readonly ratings: number; readonly figure: number }[];
}

const shares = [0.25, 0.5, 0.75, 1];
/** Fits of fewer ratings say nothing of the curve. */
const leastRatings = 12;

/** @param figureOf of held-out scores as shares, higher is better, at most 1 */
export function learningCurve(
  head: AdaptableHead,
  samples: readonly Sample[],
  groups: readonly (string | number)[],
  figureOf: (scores: Float64Array) => number,
): LearningCurve {
  const points = shares
    .filter((share) => share * 0.8 * samples.length >= leastRatings)
    .map((share) => {
      const { scores, learned } = heldOut(head, samples, groups, { repeats: 2, share });
      return { ratings: Math.round(learned), figure: figureOf(scores) };
    })
    .filter(({ figure }) => Number.isFinite(figure));
  return { points, expected: points.length >= 3 ? expectedOf(points) : [] };
}

function expectedOf(points: LearningCurve["points"]): LearningCurve["expected"] {
  const x = points.map(({ ratings }) => 1 / Math.sqrt(ratings));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
  const [mx, my] = [mean(x), mean(points.map(({ figure }) => figure))];
  const xx = x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
  const xy = x.reduce((sum, value, i) => sum + (value - mx) * (points[i]!.figure - my), 0);
  // More ratings do no harm: a curve that falls is chance.
  const rate = xx > 0 ? Math.min(0, xy / xx) : 0;
  const { ratings, figure } = points.at(-1)!;
  return [2, 4].map((times) => {
    const more = times * ratings;
    return { ratings: more, figure: Math.min(1, figure + rate * (1 / Math.sqrt(more) - 1 / Math.sqrt(ratings))) };
  });
}

import { type PairedDifference, pairedDifference, plcc, rmse, srcc } from "../metrics/index.ts";

/** A figure of the adapted model and of the one before, on the same pictures. */
export interface Compared extends Omit<PairedDifference, "after"> {
  readonly adapted: number;
}

type Measure = (predicted: Float64Array, truth: Float64Array) => number;

/** Area under the ROC curve: how often a good picture has the higher score of a good and a bad one; ties count half. */
export function auc(predicted: ArrayLike<number>, isGood: ArrayLike<number>): number {
  const order = Array.from(predicted, (score, i) => ({ score, good: isGood[i]! > 0.5 })).sort(
    (a, b) => a.score - b.score,
  );
  const goods = order.filter(({ good }) => good).length;
  const bads = order.length - goods;
  let sum = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && order[to]!.score === order[from]!.score) to++;
    for (let i = from; i < to; i++) if (order[i]!.good) sum += (from + to + 1) / 2;
    from = to;
  }
  return goods && bads ? (sum - (goods * (goods + 1)) / 2) / (goods * bads) : Number.NaN;
}

export const measures = { srcc, plcc, rmse, auc } as const satisfies Record<string, Measure>;

/** A figure of two models with the paired interval of their difference; groups are drawn whole. */
export function compare(
  measure: Measure,
  {
    before,
    adapted,
    truth,
  }: { readonly before: Float64Array; readonly adapted: Float64Array; readonly truth: Float64Array },
  groups: readonly (string | number)[],
): Compared {
  const { after, ...compared } = pairedDifference(measure, { before, after: adapted, truth }, { groups });
  return { ...compared, adapted: after };
}

import { Random } from "../../engine/random.ts";
import { quantile } from "../metrics/bootstrap.ts";
import { plcc, rmse, srcc } from "../metrics/index.ts";
import { membersOf } from "./cross-validation.ts";

/** A figure of the adapted model and of the one before, on the same pictures. */
export interface Compared {
  readonly before: number;
  readonly adapted: number;
  readonly difference: number;
  /** Ends of the paired 95 % interval of the difference; absent where it cannot be made. */
  readonly interval?: readonly [number, number];
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

const draws = 1000;

/** A figure of two models with the paired bootstrap of their difference; groups are drawn whole. */
export function compare(
  measure: Measure,
  {
    before,
    adapted,
    truth,
  }: { readonly before: Float64Array; readonly adapted: Float64Array; readonly truth: Float64Array },
  groups: readonly (string | number)[],
): Compared {
  const all = membersOf(groups);
  const random = new Random(1, "paired bootstrap");
  const differences: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const places = all.flatMap(() => all[random.integer(all.length)]!);
    const of = (values: Float64Array) => Float64Array.from(places, (i) => values[i]!);
    const drawn = of(truth);
    const difference = measure(of(adapted), drawn) - measure(of(before), drawn);
    if (Number.isFinite(difference)) differences.push(difference);
  }
  const sorted = Float64Array.from(differences).sort();
  const [a, b] = [measure(adapted, truth), measure(before, truth)];
  return {
    before: b,
    adapted: a,
    difference: a - b,
    ...(sorted.length > draws / 2 && { interval: [quantile(sorted, 0.025), quantile(sorted, 0.975)] as const }),
  };
}

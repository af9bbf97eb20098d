import { median } from "../../metrics/index.ts";
import { numberOf } from "../report-parts.ts";
import type {
  ExperimentRecord,
  ExperimentRun,
  ExperimentVariant,
  MeasureName,
  PartResult,
  Repeat,
} from "./experiment-record.ts";

/** Result of a run's final model on a part, or of the model after one stage. */
export function resultOf(
  { status, results }: ExperimentRun,
  part: string,
  stage?: PartResult["stage"],
): PartResult | undefined {
  if (status !== "finished") return undefined;
  return results
    .filter((result) => result.part === part && (stage === undefined || result.stage === stage))
    .toSorted((a, b) => b.stage - a.stage)[0];
}

/** A measure of the final models, by repeat; NaN where there is none. */
export function measured({ runs }: ExperimentVariant, part: string, measure: MeasureName): number[] {
  return runs.map((run) => numberOf(resultOf(run, part)?.[measure]));
}

/** Decimals of a measure: errors on long scales need fewer. */
export function digitsOf(name: MeasureName, [low, high]: readonly [number, number]): number {
  return name === "slope" || (["rmse", "rmseFitted", "mae"].includes(name) && high - low > 20) ? 2 : 3;
}

/** Ends of an axis of correlations: none beyond ±1 where the values take much of the range. */
export function correlationEnds(values: readonly number[]): { minimum?: number; maximum?: number } {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), 1);
  const high = finite.reduce((a, b) => Math.max(a, b), -1);
  if (high - low < 0.5) return {};
  return { ...(low < -0.8 && { minimum: -1 }), ...(high > 0.8 && { maximum: 1 }) };
}

/** A minus b, place by place. */
export function minus(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value - (b[i] ?? Number.NaN));
}

/** Median of what is a number; NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  return median(values.filter(Number.isFinite));
}

/** "seed 1", or both seeds when they differ; "fold 2, seed 1". */
export function repeatName({ split, training, fold }: Repeat): string {
  const seeds = split === training ? `seed ${split}` : `split ${split}, training ${training}`;
  return fold === undefined ? seeds : `fold ${fold}, ${seeds}`;
}

/** Name of a variant with what it is: the baseline, and an asterisk after the one that was chosen on validation. */
export function titleOf(variant: ExperimentVariant, { baseline, selection, variants }: ExperimentRecord): string {
  const base = variant.name === baseline && variants.length > 1 ? " (baseline)" : "";
  return `${variant.name}${base}${variant.name === selection.chosen ? "\u00a0*" : ""}`;
}

/** Lines in one chart that can be told apart. */
export const mostLines = 6;

/** Items in charts of few lines: the first, the baseline, is in every chart, the others are dealt out. */
export function inGroups<Item>([first, ...others]: readonly Item[]): Item[][] {
  const groups: Item[][] = [];
  for (let i = 0; i < Math.max(1, others.length); i += mostLines - 1) {
    groups.push([first!, ...others.slice(i, i + mostLines - 1)]);
  }
  return groups;
}

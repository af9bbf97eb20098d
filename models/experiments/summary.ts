import { median } from "../metrics/index.ts";
import {
  type ExperimentRun,
  type Measure,
  type MeasureName,
  measureNames,
  type PartSummary,
  type Spread,
} from "../report/experiment/experiment-record.ts";
import { resultOf } from "../report/experiment/experiment-values.ts";

/** Median, mean, sample standard deviation and extremes of the values that are numbers. */
export function spread(values: readonly Measure[]): Spread {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const n = sorted.length;
  if (n === 0) return { n, median: null, mean: null, sd: null, min: null, max: null };
  const mean = sorted.reduce((a, b) => a + b, 0) / n;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    n,
    median: median(sorted),
    mean,
    sd: n < 2 ? null : Math.sqrt(squares / (n - 1)),
    min: sorted[0]!,
    max: sorted[n - 1]!,
  };
}

/**
 * The final models of a variant on each part, over its repeats.
 * @param baseline runs of the variant that differences are taken to, in the same order of repeats; none for itself
 */
export function summarise(
  runs: readonly ExperimentRun[],
  parts: readonly string[],
  baseline: readonly ExperimentRun[] | undefined,
): PartSummary[] {
  return parts.map((part) => {
    const own = runs.map((run) => resultOf(run, part));
    const measures = eachMeasure((name) => spread(own.flatMap((result) => (result ? [result[name]] : []))));
    if (!baseline) return { part, measures };
    const base = baseline.map((run) => resultOf(run, part));
    const differences = (name: MeasureName) =>
      own.map((result, i) => minus(result?.[name] ?? null, base[i]?.[name] ?? null));
    return { part, measures, difference: eachMeasure((name) => spread(differences(name))) };
  });
}

function minus(a: Measure, b: Measure): Measure {
  return a === null || b === null ? null : a - b;
}

function eachMeasure(of: (name: MeasureName) => Spread): Record<MeasureName, Spread> {
  return Object.fromEntries(measureNames.map((name) => [name, of(name)])) as Record<MeasureName, Spread>;
}

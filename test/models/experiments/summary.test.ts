import { expect, test } from "bun:test";
import { spread, summarise } from "../../../models/experiments/summary.ts";
import { type ExperimentRun, measureNames } from "../../../models/report/experiment/experiment-record.ts";

function runWith(srcc: number | null, status: ExperimentRun["status"] = "finished"): ExperimentRun {
  const measures = Object.fromEntries(measureNames.map((name) => [name, 0.5])) as Record<
    (typeof measureNames)[number],
    number
  >;
  return {
    repeat: { split: 1, training: 1 },
    status,
    trainings: [],
    parts: { labelled: 1, unlabelled: 1, validation: 0, test: 1 },
    // Stage 1 stands last, to see that the final model counts.
    results: [
      { part: "test", stage: 2, n: 9, ...measures, srcc },
      { part: "test", stage: 1, n: 9, ...measures, srcc: -1 },
    ],
    phases: [],
    losses: [],
    refreshes: [],
    notes: [],
  };
}

test("a spread over values, some of them undefined", () => {
  expect(spread([3, null, 1, 2, 6])).toEqual({ n: 4, median: 2.5, mean: 3, sd: Math.sqrt(14 / 3), min: 1, max: 6 });
  expect(spread([7])).toEqual({ n: 1, median: 7, mean: 7, sd: null, min: 7, max: 7 });
  expect(spread([null])).toEqual({ n: 0, median: null, mean: null, sd: null, min: null, max: null });
});

test("differences are paired by repeat; failed runs and undefined measures count in neither", () => {
  const baseline = [runWith(0.5), runWith(0.6), runWith(0.7), runWith(0.8, "failed")];
  const runs = [runWith(0.6), runWith(null), runWith(0.9), runWith(0.9)];
  const [summary] = summarise(runs, ["test"], baseline);
  expect(summary!.measures.srcc).toMatchObject({ n: 3, median: 0.9, min: 0.6 });
  expect(summary!.difference!.srcc).toMatchObject({
    n: 2,
    mean: expect.closeTo(0.15, 12),
    min: expect.closeTo(0.1, 12),
  });
  expect(summarise(baseline, ["test"], undefined)[0]!.difference).toBeUndefined();
});

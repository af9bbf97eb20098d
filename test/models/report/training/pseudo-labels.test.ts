import { expect, test } from "bun:test";
import { trainingReport } from "../../../../models/report/training/training-report.ts";
import type { RunRecord } from "../../../../models/training/run-record.ts";
import { plausible, titles } from "./record.ts";

test("own predictions stand beside propagated labels, by epoch", async () => {
  const record = plausible();
  const of = (srcc: number, mae: number) => ({ n: 63, mae, rmse: 14.25, srcc, plcc: 0.611, slope: 0.25 });
  const refreshes = record.refreshes.map((refresh, i) => ({
    ...refresh,
    propagated: of(0.512 + i / 100, 11.25),
    own: of(0.634 + i / 100, 10.5),
  }));
  const html = await trainingReport({ ...record, refreshes });
  for (const cell of ["propagated labels", "own predictions", "0.512", "0.522", "0.634", "0.644", "0.611", "11.25"])
    expect(html).toContain(`>${cell}<`);
  expect(html).toMatch(/SRCC of propagated labels and of the network\S+ own predictions by epoch/);
  expect(html).toContain("MAE of both sources before each epoch; lower is better.");
  // Of one refresh there are no curves, and of records of earlier versions nothing.
  const single = await trainingReport({ ...record, refreshes: refreshes.slice(0, 1) });
  expect(single).toContain(">own predictions<");
  expect(single).not.toContain("MAE of both sources");
  expect(await trainingReport(record)).not.toContain("own predictions");
});

test("regressions are told with what they chose and how labelled pictures fare that are left out", async () => {
  const { quality } = plausible().refreshes[0]!;
  const one = { epoch: 0, seconds: 1.25, featureSeconds: 20.5, ridge: 0.03, meanConfidence: 0.412 };
  const leftOut = { n: 90, mae: 11.53, srcc: 0.634 };
  const page = async (regressions: RunRecord["regressions"]) =>
    trainingReport({ ...plausible(), refreshes: [], regressions: regressions! });
  const html = await page([{ ...one, width: 2, leftOut, ...(quality && { quality }) }]);
  expect(titles(html)).toContain("Pseudo-labels");
  for (const cell of ["11.53", "0.634", "0.412", "20.50"]) expect(html).toContain(`>${cell}<`);
  expect(html).toContain("SRCC of confidence and error");
  expect(html).not.toContain("unreachable");
  // With the kernel linear, and labels that are all the same.
  const linear = await page([{ ...one, leftOut: { ...leftOut, srcc: Number.NaN } }]);
  expect(linear).toContain(">none<");
  expect(linear).not.toMatch(/NaN|undefined/);
});

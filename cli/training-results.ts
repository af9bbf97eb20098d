import { join } from "node:path";
import type { Evaluation } from "../models/metrics/index.ts";
import { classTable, constantsSentence } from "../models/report/class-table.ts";
import { outcome } from "../models/report/outcome.ts";
import { resultName } from "../models/report/report-parts.ts";
import type { ClassResult } from "../models/training/class-results.ts";
import { runRecord, writeRun } from "../models/training/finish.ts";
import type { RunRecord } from "../models/training/run-record.ts";
import type { TrainingResult } from "../models/training/training.ts";
import { formatBytes, formatSeconds, table } from "./terminal.ts";

/** Writes record and report, prints the results, and says whether the last phase beats the first. */
export async function finish(result: TrainingResult, folder: string, title: string): Promise<void> {
  const record = runRecord(result, title);
  result.model.dispose();
  const report = await writeRun(folder, record);
  printResults(record);
  console.log(`\nmodels: ${result.files.map((file) => join(folder, file)).join(", ")}\nreport: ${report}`);
  if (record.parts.test > 0) console.log(`\n${outcome(record)}`);
}

function printResults(record: RunRecord): void {
  const { results } = record;
  const named = results.map((result) => ({ ...result, name: resultName(result, results) }));
  if (named.length > 0) console.log(resultTable(named));
  else console.log(untested(record));
  if (record.classes?.length) printClasses(record.classes);
  console.log("");
  console.log(
    table(
      ["phase", "time"],
      record.phases.map(({ name, seconds }) => [name, formatSeconds(seconds)]),
    ),
  );
  console.log(`\ndevice memory at its peak: ${formatBytes(record.peakDeviceBytes)}; ${record.hardware.adapter}`);
}

/** Why there are no results. */
function untested({ parts }: RunRecord): string {
  return parts.labelled === 0
    ? "learnt from pictures alone: there are no ratings to test on"
    : "there is no test part, so nothing was tested; give a --ratio that leaves one, or acutance evaluate --model with other rated pictures";
}

/** Agreement of classes, and what is to be said of it. */
export function printClasses(results: readonly ClassResult[]): void {
  const { headers, rows } = classTable(results);
  console.log(`\n${table(headers, rows)}`);
  for (const result of results) console.log(constantsSentence(result));
}

/** Evaluations side by side. */
export function resultTable(results: readonly { readonly name: string; readonly evaluation: Evaluation }[]): string {
  const number = (value: number, digits: number) => (Number.isFinite(value) ? value.toFixed(digits) : "-");
  return table(
    ["part", "n", "SRCC", "KRCC", "PLCC", "PLCC fitted", "RMSE", "MAE", "slope"],
    results.map(({ name, evaluation: e }) => [
      name,
      e.n,
      ...[e.srcc, e.krcc, e.plcc, e.plccFitted].map((value) => number(value, 3)),
      ...[e.rmse, e.mae].map((value) => number(value, 2)),
      number(e.slope, 2),
    ]),
  );
}

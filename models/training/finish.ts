import { cpus } from "node:os";
import { join } from "node:path";
import type { Device } from "../../engine/device/device.ts";
import { runtimeName } from "../../engine/device/probe.ts";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import { type Evaluation, evaluate, pairedDifference, srcc } from "../metrics/index.ts";
import { constantName, type RunRecord } from "./run-record.ts";
import { ratedByPeople, type TrainingData, type TrainingResult } from "./training.ts";

/**
 * Everything worth knowing of a finished training. Its model must not be disposed of yet: the memory that it took is told by its device.
 * @param title heading of the report
 */
export function runRecord({ card, data, progress, command, model }: TrainingResult, title: string): RunRecord {
  const { device } = model;
  const rated = ratedByPeople(data.labelled);
  const constant = constantPredictor(rated, data);
  const comparison = lastWithFirst(progress, data);
  return {
    title,
    ...(card.run !== undefined && { run: card.run }),
    command,
    date: new Date().toISOString(),
    hardware: hardwareOf(device),
    options: card.options,
    range: [card.range[0], card.range[1]],
    parts: {
      labelled: rated.length,
      ...(rated.length < data.labelled.length && { pseudoLabelled: data.labelled.length - rated.length }),
      ...(data.ranked && card.options.rankWeight > 0 && { ranked: data.ranked.length }),
      unlabelled: data.unlabelled.length,
      ...(data.validation?.length && { validation: data.validation.length }),
      test: data.test.length,
    },
    ...progress,
    results: [...progress.results, ...(constant ? [{ name: constantName, evaluation: constant }] : [])],
    ...(comparison && { comparison }),
    peakDeviceBytes: device.memoryUse.peakBytes,
    peakDeviceOwners: device
      .memoryReport()
      .owners.filter(({ atPeakBytes }) => atPeakBytes > 0)
      .map(({ owner, atPeakBytes }) => ({ owner, bytes: atPeakBytes })),
  };
}

/**
 * Writes a record beside the models of its run, `run.json`, and the report that is made of it, `report.html`.
 * @returns the path of the report
 */
export async function writeRun(folder: string, record: RunRecord): Promise<string> {
  await writeRecord(folder, record);
  const report = join(folder, "report.html");
  // The plotting library is large: it is loaded when there is something to plot.
  const { trainingReport } = await import("../report/training/training-report.ts");
  await writeFileAtomically(report, await trainingReport(record));
  return report;
}

/** Writes the record of a run beside its models. */
export async function writeRecord(folder: string, record: unknown): Promise<void> {
  await writeFileAtomically(join(folder, "run.json"), `${JSON.stringify(record, null, 1)}\n`);
}

/** Where something was measured. */
export function hardwareOf({ info }: Device): RunRecord["hardware"] {
  return {
    runtime: runtimeName(),
    adapter: info.description || info.vendor,
    cores: cpus().length,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** What always answering with the mean of the labelled part scores: the floor for every model. */
function constantPredictor(labelled: TrainingData["labelled"], { test }: TrainingData): Evaluation | undefined {
  if (test.length < 3) return undefined;
  const mean = labelled.reduce((sum, { mos }) => sum + mos, 0) / labelled.length;
  return evaluate(
    test.map(() => mean),
    test.map(({ mos }) => mos),
  );
}

/** How the scores of the test part after the last phase compare with those after the first; pictures of a group are drawn together. */
function lastWithFirst(
  { predictions, results }: TrainingResult["progress"],
  { test }: TrainingData,
): RunRecord["comparison"] {
  if (results.filter(({ part }) => !part).length < 2) return undefined;
  const groupOf = new Map(test.map(({ name, group }) => [name, group ?? name]));
  const both = predictions.flatMap(({ name, mos, stageOne, score }) =>
    mos === undefined || stageOne === undefined ? [] : [{ group: groupOf.get(name) ?? name, mos, stageOne, score }],
  );
  if (both.length < 3) return undefined;
  const groups = both.map(({ group }) => group);
  const scores = {
    before: Float64Array.from(both, ({ stageOne }) => stageOne),
    after: Float64Array.from(both, ({ score }) => score),
    truth: Float64Array.from(both, ({ mos }) => mos),
  };
  return { ...pairedDifference(srcc, scores, { groups }), pictures: both.length, groups: new Set(groups).size };
}

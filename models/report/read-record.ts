import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { jsonOf, readText } from "../../engine/weights/files.ts";
import type { RunRecord } from "../training/run-record.ts";
import type { ExperimentRecord } from "./experiment/experiment-record.ts";

/** A file that is no record of a training run or an experiment. */
export class RecordError extends Error {
  override name = "RecordError";
  readonly advice: string;

  constructor(
    message: string,
    advice = "see that it is the file that is meant; if it is, take it from a copy or run the training or experiment again",
  ) {
    super(message);
    this.advice = advice;
  }
}

/** A record with the file it was read from. */
export type OpenedRecord = { readonly path: string } & (
  | { readonly kind: "run"; readonly record: RunRecord }
  | { readonly kind: "experiment"; readonly record: ExperimentRecord }
);

/** Names of records in the folder of a run or an experiment. */
const fileNames = ["run.json", "experiment.json"] as const;

const text = z.string();
const list = z.array(z.looseObject({}));
const range = z.tuple([z.number().nullable(), z.number().nullable()]);
const hardware = z.looseObject({ runtime: text, adapter: text, platform: text });

/** Null, as JSON leaves it, where it is not defined. */
const number = z.number().nullable();
const numbers = <const Name extends string>(...names: Name[]) =>
  z.looseObject(Object.fromEntries(names.map((name) => [name, number])) as Record<Name, typeof number>);

/** What a page cannot be made without. */
const runSchema = z.looseObject({
  title: text,
  command: text,
  date: text,
  hardware,
  options: z.looseObject({}),
  range,
  parts: z.looseObject({}),
  phases: z.array(z.looseObject({ name: text, seconds: number })),
  losses: z.array(numbers("stage", "epoch", "step", "loss").extend({ figures: z.record(text, number).optional() })),
  refreshes: z.array(numbers("epoch", "seconds", "iterations")),
  regressions: z
    .array(numbers("epoch", "seconds", "ridge").extend({ leftOut: numbers("n", "mae", "srcc") }))
    .optional(),
  pseudoLabels: z.array(z.looseObject({ name: text, pseudo: number, confidence: number })),
  results: z.array(z.looseObject({ name: text, evaluation: numbers("n", "srcc", "krcc", "plcc", "rmse", "mae") })),
  predictions: z.array(z.looseObject({ name: text, path: text, score: number })),
  comparison: numbers("difference", "pictures", "groups")
    .extend({ interval: z.tuple([z.number(), z.number()]).optional() })
    .optional(),
  notes: z.array(text),
});

const experimentSchema = z.looseObject({
  schema: z.literal(1),
  title: text,
  date: text,
  hardware,
  recipe: z.looseObject({}),
  range,
  repeats: list,
  parts: z.array(text),
  ranges: z.looseObject({}),
  baseline: text,
  variants: z.array(
    z.looseObject({
      name: text,
      changes: z.looseObject({}),
      settings: z.looseObject({}),
      runs: z.array(
        z.looseObject({
          status: text,
          trainings: list,
          parts: z.looseObject({}),
          results: list,
          phases: list,
          refreshes: list,
        }),
      ),
    }),
  ),
  selection: z.looseObject({ sentence: text }),
  notes: z.array(text),
});

/**
 * Reads the record of a training run or an experiment.
 * @param given the file, or a folder that holds run.json or experiment.json
 * @throws RecordError when there is none, it cannot be read, or it lacks something that a page is made of
 */
export async function readRecord(given: string): Promise<OpenedRecord> {
  const path = await recordPath(given);
  const record = await readText(path)
    .then((text) => jsonOf(text, path))
    .catch((cause: Error) => {
      throw new RecordError(cause.message);
    });
  const isExperiment = typeof record === "object" && record !== null && "variants" in record;
  const checked = (isExperiment ? experimentSchema : runSchema).safeParse(record);
  if (!checked.success) {
    const problems = checked.error.issues
      .slice(0, 3)
      .map(({ path, message }) => `${path.join(".") || "file"}: ${message}`);
    const more = checked.error.issues.length - problems.length;
    throw new RecordError(
      `${path} is no record of ${isExperiment ? "an experiment" : "a training run"}: ${problems.join("; ")}${more > 0 ? `; and ${more} more` : ""}`,
      "Records are the run.json that `acutance train` and `acutance demo` write and the experiment.json of `acutance experiment`",
    );
  }
  return isExperiment
    ? { path, kind: "experiment", record: record as ExperimentRecord }
    : { path, kind: "run", record: record as RunRecord };
}

/**
 * Makes a page of a record; what its form does not show, such as a list that does not fit another, is told here.
 * @throws RecordError for what the page cannot be made of
 */
export async function pageOf<T>({ path }: OpenedRecord, make: () => T | Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new RecordError(
      `${path} is damaged: its parts do not fit each other, so that no page can be made of it`,
      "Take the record from a copy, or run the training or experiment again",
    );
  }
}

async function recordPath(given: string): Promise<string> {
  const what = await stat(given).catch(() => undefined);
  if (!what) throw new RecordError(`there is no file or folder ${given}`);
  if (!what.isDirectory()) return given;
  const here = [];
  for (const name of fileNames) if ((await stat(join(given, name)).catch(() => undefined))?.isFile()) here.push(name);
  if (here.length === 0) {
    throw new RecordError(
      `${given} holds neither ${fileNames.join(" nor ")}`,
      "A run that has not ended has no record yet: acutance train METHOD --resume FOLDER ends it",
    );
  }
  if (here.length > 1)
    throw new RecordError(`${given} holds ${here.join(" and ")}`, "Name the file that the page is made of");
  return join(given, here[0]!);
}

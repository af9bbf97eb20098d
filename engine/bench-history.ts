import { appendFileSync, readFileSync } from "node:fs";
import { z } from "zod";
import { deviations, quantile } from "./tune/noise.ts";

const amount = z.number().positive();

/** What one run of benchmarks found; a line of a history file. */
const recordSchema = z.strictObject({
  format: z.literal("acutance-bench"),
  version: z.literal(1),
  at: z.iso.datetime(),
  /** Of the working tree, "unknown" outside of one. */
  commit: z.string().min(1),
  /** Whether the tree had changes beside the commit. */
  dirty: z.boolean(),
  /** Adapter and driver, and the machine: results of other ones are another history. */
  adapter: z.string(),
  machine: z.string(),
  results: z.array(
    z.strictObject({
      name: z.string(),
      medianMs: amount,
      runs: z.number().int().min(1),
      /** Two standard errors of the median as a share of it; null where it is not known. */
      noise: z.number().min(0).nullable(),
      /** The machine did something else meanwhile. */
      tainted: z.boolean(),
    }),
  ),
});
export type BenchRecord = z.infer<typeof recordSchema>;

/** A history cannot be read, or has nothing to compare. */
export class BenchHistoryError extends Error {
  override name = "BenchHistoryError";
}

/** Adds a record to a file, which is made if need be. */
export function addRecord(path: string, record: BenchRecord): void {
  appendFileSync(path, `${JSON.stringify(record)}\n`);
}

/** The records of a file, in order of time. @throws BenchHistoryError with the line that is none */
export function readHistory(path: string): BenchRecord[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new BenchHistoryError(
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? error}); acutance bench --record makes it`,
    );
  }
  const records = text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const parsed = recordSchema.safeParse(jsonOf(line));
    if (parsed.success) return [parsed.data];
    throw new BenchHistoryError(`${path}, line ${i + 1}: no record of a benchmark run`);
  });
  return records.sort((a, b) => a.at.localeCompare(b.at));
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Records of one adapter and machine. */
export interface History {
  readonly adapter: string;
  readonly machine: string;
  readonly records: readonly BenchRecord[];
}

/** A history for each adapter and machine, the one with the latest record last. */
export function histories(records: readonly BenchRecord[]): History[] {
  const found = new Map<string, BenchRecord[]>();
  for (const record of records) {
    const key = JSON.stringify([record.adapter, record.machine]);
    const before = found.get(key) ?? [];
    found.delete(key);
    found.set(key, [...before, record]);
  }
  return [...found.values()].map((list) => ({ adapter: list[0]!.adapter, machine: list[0]!.machine, records: list }));
}

/** A tree in one state: a commit, or a commit with changes at one time. */
function stateOf({ commit, dirty, at }: BenchRecord): string {
  return dirty || commit === "unknown" ? `${commit} changed ${at}` : commit;
}

/** Medians of one benchmark, clean ones where there are any, by the state of the tree in order of time. */
function byState(records: readonly BenchRecord[], name: string): Map<string, number[]> {
  const states = new Map<string, number[]>();
  const all = records.flatMap((record) =>
    record.results.filter((result) => result.name === name).map((result) => ({ state: stateOf(record), ...result })),
  );
  const clean = all.filter(({ tainted }) => !tainted);
  for (const { state, medianMs } of clean.length > 0 ? clean : all)
    states.set(state, [...(states.get(state) ?? []), medianMs]);
  return states;
}

/**
 * How much records of the same commit differ on this machine: the standard deviation of ln median, pooled over the commits that
 * were measured more than once,   s² = Σ_c Σ_i (x_ci − mean_c)² / Σ_c (n_c − 1)
 * Undefined where none was.
 */
export function calibratedNoise(records: readonly BenchRecord[], name: string): number | undefined {
  let [sum, freedom] = [0, 0];
  for (const medians of byState(records, name).values()) {
    const logs = medians.map(Math.log);
    const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
    for (const value of logs) sum += (value - mean) ** 2;
    freedom += logs.length - 1;
  }
  return freedom > 0 ? Math.sqrt(sum / freedom) : undefined;
}

export interface GateRow {
  readonly name: string;
  readonly beforeMs: number;
  readonly nowMs: number;
  /** now / before − 1. */
  readonly change: number;
  /** What chance explains, two standard errors of the ratio. */
  readonly noise: number;
  /** Whether the noise was calibrated by repeated records of one commit; else it is that within the runs. */
  readonly isCalibrated: boolean;
  readonly state: "slower" | "faster" | "same";
}

export interface Gate {
  /** The state of the tree that is judged, and those that it is compared with. */
  readonly commit: string;
  readonly against: readonly string[];
  readonly rows: readonly GateRow[];
  readonly regressions: number;
}

/** Earlier states that the latest is compared with. */
const statesBefore = 5;

/**
 * Judges the latest state of the tree against those before: a benchmark has regressed when its median grew by more than `threshold`
 * and by more than noise,   2 · s · √(1 / n_now + 1 / n_before)
 * with s of {@link calibratedNoise}, or where no commit was measured twice the noise within the runs.
 * @param against a commit, or the beginning of its name, instead of the five states before
 * @throws BenchHistoryError when there is nothing to compare with
 */
export function gate(
  { records }: History,
  { threshold = 0.05, against }: { readonly threshold?: number; readonly against?: string | undefined } = {},
): Gate {
  const latest = records.at(-1)!;
  const states = [...new Set(records.map(stateOf))];
  const now = stateOf(latest);
  const others = states.filter((state) => state !== now);
  const chosen =
    against === undefined ? others.slice(-statesBefore) : others.filter((state) => state.startsWith(against));
  if (chosen.length === 0) {
    const why = against === undefined ? "it has records of one commit only" : `it has no records of ${against}`;
    throw new BenchHistoryError(`the history has nothing to compare ${now.slice(0, 12)} with: ${why}`);
  }
  const names = [
    ...new Set(
      records.filter((record) => stateOf(record) === now).flatMap(({ results }) => results.map(({ name }) => name)),
    ),
  ];
  const rows = names.flatMap((name) => rowOf(records, name, now, chosen, threshold));
  return {
    commit: now,
    against: chosen,
    rows,
    regressions: rows.filter(({ state }) => state === "slower").length,
  };
}

function rowOf(
  records: readonly BenchRecord[],
  name: string,
  now: string,
  chosen: readonly string[],
  threshold: number,
): GateRow[] {
  const states = byState(records, name);
  const current = states.get(now) ?? [];
  const before = chosen.flatMap((state) => states.get(state) ?? []);
  if (current.length === 0 || before.length === 0) return [];
  const middle = (values: readonly number[]) =>
    quantile(
      values.toSorted((a, b) => a - b),
      0.5,
    );
  const [beforeMs, nowMs] = [middle(before), middle(current)];
  const calibrated = calibratedNoise(records, name);
  const within = records
    .flatMap(({ results }) => results.filter((result) => result.name === name))
    .map(({ noise }) => (noise ?? 0) / deviations);
  const sigma = calibrated ?? Math.max(...within);
  const noise = deviations * sigma * Math.sqrt(1 / current.length + 1 / before.length);
  const change = nowMs / beforeMs - 1;
  const beyond = Math.abs(Math.log(nowMs / beforeMs)) > Math.max(Math.log(1 + threshold), noise);
  const state = !beyond ? "same" : change > 0 ? "slower" : "faster";
  return [{ name, beforeMs, nowMs, change, noise, isCalibrated: calibrated !== undefined, state }];
}

import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Progress } from "../cpl/training.ts";
import type { PartResult, Repeat } from "../report/experiment-record.ts";
import { measureNames } from "../report/experiment-record.ts";
import { openDatabase } from "./schema.ts";
import type { FileContent } from "./sources.ts";

/** One training of one stage, as it is kept. */
export interface StoredTraining {
  readonly key: string;
  readonly stage: 1 | 2;
  readonly status: "running" | "finished" | "failed" | "interrupted";
  readonly error: string | null;
  /** Below the folder of the store. */
  readonly folder: string;
  readonly seconds: number;
  readonly notes: readonly string[];
}

/** A run as the tables list it. */
export interface StoredRun {
  readonly variant: string;
  readonly repeat: Repeat;
  readonly changes: unknown;
  readonly settings: unknown;
  readonly parts: unknown;
  /** Keys of its trainings. */
  readonly stageOne: string | null;
  readonly stageTwo: string | null;
}

/** A training is in another process's hands. */
export class TrainingBusyError extends Error {
  override name = "TrainingBusyError";
}

/** Folder of trainings below that of the store. */
export const trainingsFolder = "trainings";

const databaseFile = "results.sqlite";

/**
 * What experiments have trained and found, in a folder that several experiments share: `results.sqlite`, and below
 * `trainings/` one folder for every training, named by the start of its key.
 */
export class ExperimentStore implements Disposable {
  readonly folder: string;
  readonly #database: DatabaseSync;

  private constructor(folder: string, database: DatabaseSync) {
    this.folder = folder;
    this.#database = database;
  }

  /**
   * Opens a store, making it where there is none.
   * @throws StoreError when its database is damaged, another program's or from a later version
   */
  static async open(folder: string): Promise<ExperimentStore> {
    await mkdir(join(folder, trainingsFolder), { recursive: true });
    return new ExperimentStore(folder, await openDatabase(join(folder, databaseFile)));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  knownFile(path: string): FileContent | undefined {
    const row = this.#get("SELECT bytes, modified_ms, sha256, problem FROM files WHERE path = ?", path);
    if (!row) return undefined;
    const problem = (row["problem"] as string | null) ?? undefined;
    return {
      path,
      bytes: row["bytes"] as number,
      modifiedMs: row["modified_ms"] as number,
      sha256: row["sha256"] as string,
      problem,
    };
  }

  rememberFile({ path, bytes, modifiedMs, sha256, problem }: FileContent): void {
    this.#run("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", path, bytes, modifiedMs, sha256, problem ?? null);
  }

  training(key: string): StoredTraining | undefined {
    const row = this.#get("SELECT stage, status, error, folder, seconds, notes FROM trainings WHERE key = ?", key);
    return row && ({ key, ...row, notes: JSON.parse(row["notes"] as string) } as StoredTraining);
  }

  /**
   * Says that this process trains now.
   * @throws TrainingBusyError when a living process of this machine does
   */
  claim(key: string, what: { stage: 1 | 2; folder: string; options: unknown; adapter: string; version: string }): void {
    this.#together(() => {
      const other = this.#get("SELECT pid, host FROM trainings WHERE key = ? AND status = 'running'", key);
      const [pid, host] = [other?.["pid"] as number, other?.["host"]];
      if (other && pid !== process.pid && host === hostname() && isAlive(pid)) {
        throw new TrainingBusyError(
          `process ${pid} is training it now (${what.folder}); run again when that has ended`,
        );
      }
      this.#run(
        `INSERT INTO trainings (key, stage, status, folder, options, adapter, version, started, pid, host)
         VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET status = 'running', error = NULL, pid = excluded.pid, host = excluded.host`,
        ...[key, what.stage, what.folder, JSON.stringify(what.options), what.adapter, what.version],
        ...[new Date().toISOString(), process.pid, hostname()],
      );
    });
  }

  /** Keeps what a finished training found, all of it or nothing. */
  finish(key: string, { progress, results }: { progress: Progress; results: readonly PartResult[] }): void {
    this.#together(() => {
      for (const table of ["results", "phases", "losses", "refreshes", "predictions", "pseudo_labels"]) {
        this.#run(`DELETE FROM ${table} WHERE training = ?`, key);
      }
      for (const result of results) this.#addResult(key, result, "");
      for (const { name, seconds } of progress.phases) this.#insert("phases", { training: key, name, seconds });
      for (const { stage, epoch, step, loss, gradientNorm } of progress.losses)
        this.#insert("losses", { training: key, stage, epoch, step, loss, gradient_norm: gradientNorm ?? null });
      for (const refresh of progress.refreshes) {
        this.#insert("refreshes", { training: key, epoch: refresh.epoch, refresh: JSON.stringify(refresh) });
      }
      for (const row of progress.predictions) this.#addPrediction(key, "test", row);
      for (const { name, pseudo, confidence, mos } of progress.pseudoLabels)
        this.#insert("pseudo_labels", { training: key, name, pseudo, confidence, mos: mos ?? null });
      const seconds = progress.phases.reduce((sum, phase) => sum + phase.seconds, 0);
      this.#run(
        "UPDATE trainings SET status = 'finished', error = NULL, seconds = ?, notes = ?, spread = ?, finished = ? WHERE key = ?",
        ...[seconds, JSON.stringify(progress.notes), JSON.stringify(spreadOf(progress)), new Date().toISOString(), key],
      );
    });
  }

  /** Says that a training ended without a result. */
  end(key: string, status: "failed" | "interrupted", error: string | null): void {
    this.#run("UPDATE trainings SET status = ?, error = ? WHERE key = ?", status, error, key);
  }

  /** Results of a training on the parts of its own data set. */
  results(key: string): PartResult[] {
    return this.#resultsWhere("training = ? AND data_key = ''", key);
  }

  /** The result of a training on a further data set, if it was taken. */
  crossResult(key: string, part: string, dataKey: string): PartResult | undefined {
    const [found] = this.#resultsWhere("training = ? AND data_key = ?", key, dataKey);
    return found && { ...found, part };
  }

  addCrossResult(key: string, result: PartResult, dataKey: string, predictions: Progress["predictions"]): void {
    this.#together(() => {
      this.#addResult(key, result, dataKey);
      for (const row of predictions) this.#addPrediction(key, dataKey, row);
    });
  }

  /** What grew while a training ran, as its record has it. */
  progress(key: string): Omit<Progress, "results"> {
    const rows = (table: string, columns: string) =>
      this.#all(`SELECT ${columns} FROM ${table} WHERE training = ? ORDER BY rowid`, key);
    const predictions = this.#all(
      `SELECT name, path, mos, stage_one AS stageOne, score, standard_deviation AS standardDeviation, confidence,
         share_below AS shareBelow FROM predictions WHERE training = ? AND part = 'test' ORDER BY rowid`,
      key,
    );
    return {
      phases: rows("phases", "name, seconds") as Progress["phases"],
      losses: rows("losses", "stage, epoch, step, loss, gradient_norm AS gradientNorm").map(
        withoutNulls,
      ) as Progress["losses"],
      refreshes: rows("refreshes", "refresh").map(({ refresh }) => JSON.parse(refresh as string)),
      predictions: predictions.map(withoutNulls) as Progress["predictions"],
      pseudoLabels: rows("pseudo_labels", "name, pseudo, confidence, mos").map(
        withoutNulls,
      ) as Progress["pseudoLabels"],
      notes: [...(this.training(key)?.notes ?? [])],
      ...JSON.parse(
        (this.#get("SELECT spread FROM trainings WHERE key = ?", key)?.["spread"] as string | null) ?? "{}",
      ),
    };
  }

  /** Replaces what is listed of an experiment. */
  list(
    experiment: { name: string; title: string; command: string; recipe: unknown },
    runs: readonly StoredRun[],
  ): void {
    this.#together(() => {
      const { name, title, command, recipe } = experiment;
      this.#run("DELETE FROM experiments WHERE name = ?", name);
      this.#run("DELETE FROM runs WHERE experiment = ?", name);
      this.#insert("experiments", {
        name,
        title,
        command,
        date: new Date().toISOString(),
        recipe: JSON.stringify(recipe),
      });
      runs.forEach(({ variant, repeat, changes, settings, parts, stageOne, stageTwo }, position) => {
        this.#insert("runs", {
          ...{ experiment: name, position, variant, split_seed: repeat.split, training_seed: repeat.training },
          ...{ changes: JSON.stringify(changes), settings: JSON.stringify(settings), parts: JSON.stringify(parts) },
          ...{ stage_one: stageOne, stage_two: stageTwo },
        });
      });
    });
  }

  #addResult(key: string, { part, stage, n, ...measures }: PartResult, dataKey: string): void {
    this.#insert("results", { training: key, part, data_key: dataKey, stage, n, ...measures });
  }

  #addPrediction(key: string, part: string, row: Progress["predictions"][number]): void {
    const { name, path, mos, stageOne, score, standardDeviation, confidence, shareBelow } = row;
    this.#insert("predictions", {
      ...{ training: key, part, name, path, mos: mos ?? null, stage_one: stageOne ?? null },
      ...{ score, standard_deviation: standardDeviation, confidence, share_below: shareBelow ?? null },
    });
  }

  #resultsWhere(condition: string, ...values: SQLInputValue[]): PartResult[] {
    const columns = ["part", "stage", "n", ...measureNames].join(", ");
    return this.#all(
      `SELECT ${columns} FROM results WHERE ${condition} ORDER BY rowid`,
      ...values,
    ) as unknown as PartResult[];
  }

  /** Writes a row; a number that is none becomes NULL. */
  #insert(table: string, row: Readonly<Record<string, SQLInputValue>>): void {
    const names = Object.keys(row);
    const values = Object.values(row).map((value) =>
      typeof value === "number" && !Number.isFinite(value) ? null : value,
    );
    this.#run(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`, ...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return (this.#database.prepare(sql).get(...values) as Record<string, unknown> | undefined) ?? undefined;
  }

  #all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    // Rows of node:sqlite have no prototype; those of the record are plain objects.
    return this.#database
      .prepare(sql)
      .all(...values)
      .map((row) => ({ ...row }));
  }

  /** All of the work or nothing, also beside other processes. */
  #together(work: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** What a test adds to a record beside scores. */
function spreadOf({ reliability, distributions }: Progress): Pick<Progress, "reliability" | "distributions"> {
  return { ...(reliability && { reliability }), ...(distributions && { distributions }) };
}

function withoutNulls(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

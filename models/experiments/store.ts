import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { jsonOf } from "../../engine/weights/files.ts";
import type { NetworkFigures, PartResult, Repeat } from "../report/experiment/experiment-record.ts";
import { measureNames } from "../report/experiment/experiment-record.ts";
import { type Owner, ownerText, sameOwner, stillHolds, thisProcess } from "../training/owner.ts";
import type { Progress } from "../training/training.ts";
import { Claim, TrainingBusyError } from "./claim.ts";
import { openDatabase, StoreError, storeError } from "./schema.ts";

/** What is known of a file: its content, and why it is no picture. */
export interface FileContent {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly sha256: string;
  readonly problem: string | undefined;
}

/** One training of one phase, as it is kept. */
export interface StoredTraining {
  readonly key: string;
  /** Place of the phase in its method, the first being 1. */
  readonly stage: number;
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
  /** Keys, in their order. */
  readonly trainings: readonly string[];
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
  /** Of the database. */
  readonly path: string;
  readonly #database: DatabaseSync;

  private constructor(folder: string, path: string, database: DatabaseSync) {
    this.folder = folder;
    this.path = path;
    this.#database = database;
  }

  /**
   * Opens a store, making it where there is none.
   * @param path of its database: SQLite shares one between processes of one machine alone, and those of others need their own
   * @throws StoreError when its database is damaged, another program's or from a later version
   */
  static async open(folder: string, path = join(folder, databaseFile)): Promise<ExperimentStore> {
    await mkdir(join(folder, trainingsFolder), { recursive: true });
    return new ExperimentStore(folder, path, await openDatabase(path));
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
    return row && ({ key, ...row, notes: this.#json(row["notes"], key) } as StoredTraining);
  }

  /**
   * Says that this process trains now, and goes on saying so until it ends or is disposed of.
   * @throws TrainingBusyError when another process does: a living one of this computer, or one elsewhere that renews its claim
   */
  claim(
    key: string,
    what: { method: string; stage: number; folder: string; options: unknown; adapter: string; version: string },
  ): Claim {
    this.#together(() => {
      const other = this.#claimOf(key);
      if (other && !sameOwner(other.owner, thisProcess()) && stillHolds(other.owner, other.renewedMs)) {
        throw new TrainingBusyError(
          `${ownerText(other.owner)} is training it now (${what.folder}); run again when that has ended`,
        );
      }
      const { pid, host, started } = thisProcess();
      this.#run(
        `INSERT INTO trainings (key, method, stage, status, folder, options, adapter, version, started, pid, host,
           process_started, renewed_ms)
         VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET status = 'running', error = NULL, started = excluded.started,
           pid = excluded.pid, host = excluded.host, process_started = excluded.process_started,
           renewed_ms = excluded.renewed_ms`,
        ...[key, what.method, what.stage, what.folder, JSON.stringify(what.options), what.adapter, what.version],
        ...[new Date().toISOString(), pid, host, started, Date.now()],
      );
    });
    return new Claim(() => this.#renew(key));
  }

  /** The claim of a training that has not ended. One of an earlier version counts as renewed when it began. */
  #claimOf(key: string): { owner: Owner; renewedMs: number } | undefined {
    const row = this.#get(
      "SELECT pid, host, process_started, renewed_ms, started FROM trainings WHERE key = ? AND status = 'running'",
      key,
    );
    if (!row) return undefined;
    const { pid, host, process_started: started, renewed_ms: renewedMs } = row;
    const owner = { pid: Number(pid), host: String(host), started: started === null ? null : String(started) };
    return { owner, renewedMs: renewedMs === null ? Date.parse(String(row["started"])) || 0 : Number(renewedMs) };
  }

  /** Whether the claim is still this process's. */
  #renew(key: string): boolean {
    const { pid, host, started } = thisProcess();
    const { changes } = this.#database
      .prepare(
        "UPDATE trainings SET renewed_ms = ? WHERE key = ? AND status = 'running' AND pid = ? AND host = ? AND process_started IS ?",
      )
      .run(Date.now(), key, pid, host, started);
    return Number(changes) > 0;
  }

  /** Keeps what a finished training found, all of it or nothing. */
  finish(key: string, { progress, results }: { progress: Progress; results: readonly PartResult[] }): void {
    this.#together(() => {
      for (const table of ["results", "phases", "losses", "refreshes", "epoch_tests", "predictions", "pseudo_labels"]) {
        this.#run(`DELETE FROM ${table} WHERE training = ?`, key);
      }
      for (const result of results) this.#addResult(key, result, "");
      for (const { name, seconds } of progress.phases) this.#insert("phases", { training: key, name, seconds });
      for (const { stage, epoch, step, loss, gradientNorm = null, figures } of progress.losses)
        this.#insert("losses", {
          ...{ training: key, stage, epoch, step, loss, gradient_norm: gradientNorm },
          figures: figures ? JSON.stringify(figures) : null,
        });
      for (const refresh of progress.refreshes) {
        this.#insert("refreshes", { training: key, epoch: refresh.epoch, refresh: JSON.stringify(refresh) });
      }
      for (const test of progress.epochTests ?? []) this.#insert("epoch_tests", { training: key, ...test });
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

  /** What was found of a network, if it was looked at. @param key names the network and the adapter */
  network(key: string): NetworkFigures | undefined {
    const row = this.#get("SELECT parameters, pictures_per_second FROM networks WHERE key = ?", key);
    return row && { parameters: Number(row["parameters"]), picturesPerSecond: Number(row["pictures_per_second"]) };
  }

  rememberNetwork(key: string, { parameters, picturesPerSecond }: NetworkFigures): void {
    this.#run("INSERT OR REPLACE INTO networks VALUES (?, ?, ?)", key, parameters, picturesPerSecond);
  }

  /** Scores of a formula by the SHA-256 of the picture's file; null where it has none of it. */
  formulaScores(formula: string): ReadonlyMap<string, number | null> {
    const rows = this.#all("SELECT sha256, score FROM formula_scores WHERE formula = ?", formula);
    return new Map(rows.map(({ sha256, score }) => [String(sha256), score as number | null]));
  }

  rememberFormulaScore(formula: string, sha256: string, score: number | null): void {
    this.#run("INSERT OR REPLACE INTO formula_scores VALUES (?, ?, ?)", formula, sha256, score);
  }

  /** What grew while a training ran, as its record has it. */
  progress(key: string): Omit<Progress, "results"> {
    const rows = (table: string, columns: string) =>
      this.#all(`SELECT ${columns} FROM ${table} WHERE training = ? ORDER BY rowid`, key);
    const predictions = this.#all(
      `SELECT name, path, mos, stage_one AS stageOne, score, standard_deviation AS standardDeviation, confidence,
         class, true_class AS trueClass, share_below AS shareBelow FROM predictions WHERE training = ? AND part = 'test' ORDER BY rowid`,
      key,
    );
    return {
      phases: rows("phases", "name, seconds") as Progress["phases"],
      losses: rows("losses", "stage, epoch, step, loss, gradient_norm AS gradientNorm, figures").map(
        ({ figures, ...row }) => ({
          ...withoutNulls(row),
          ...(figures !== null && { figures: this.#json(figures, key) }),
        }),
      ) as Progress["losses"],
      refreshes: rows("refreshes", "refresh").map(
        ({ refresh }) => this.#json(refresh, key) as Progress["refreshes"][number],
      ),
      epochTests: rows("epoch_tests", "stage, epoch, srcc, plcc") as Progress["epochTests"] & {},
      predictions: predictions.map(withoutNulls) as Progress["predictions"],
      pseudoLabels: rows("pseudo_labels", "name, pseudo, confidence, mos").map(
        withoutNulls,
      ) as Progress["pseudoLabels"],
      notes: [...(this.training(key)?.notes ?? [])],
      ...(this.#json(this.#get("SELECT spread FROM trainings WHERE key = ?", key)?.["spread"] ?? "{}", key) as object),
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
      runs.forEach(({ variant, repeat, changes, settings, parts, trainings }, position) => {
        this.#insert("runs", {
          ...{ experiment: name, position, variant, split_seed: repeat.split, training_seed: repeat.training },
          fold: repeat.fold ?? null,
          ...{ changes: JSON.stringify(changes), settings: JSON.stringify(settings), parts: JSON.stringify(parts) },
          trainings: JSON.stringify(trainings),
        });
      });
    });
  }

  #addResult(key: string, { part, stage, n, ...measures }: PartResult, dataKey: string): void {
    this.#insert("results", { training: key, part, data_key: dataKey, stage, n, ...measures });
  }

  #addPrediction(key: string, part: string, row: Progress["predictions"][number]): void {
    const { name, path, mos, stageOne, score, standardDeviation, confidence, shareBelow, class: told, trueClass } = row;
    this.#insert("predictions", {
      ...{ training: key, part, name, path, mos: mos ?? null, stage_one: stageOne ?? null },
      ...{ score, standard_deviation: standardDeviation ?? null, confidence: confidence ?? null },
      ...{ share_below: shareBelow ?? null, class: told ?? null, true_class: trueClass ?? null },
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
    this.#used(() => this.#database.prepare(sql).run(...values));
  }

  #get(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#used(() => this.#database.prepare(sql).get(...values)) ?? undefined;
  }

  #all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    // Rows of node:sqlite have no prototype; those of the record are plain objects.
    return this.#used(() => this.#database.prepare(sql).all(...values)).map((row) => ({ ...row }));
  }

  /** @throws StoreError for what SQLite throws */
  #used<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(this.path, error);
    }
  }

  /** @throws StoreError when a value is no JSON */
  #json(text: unknown, key: string): unknown {
    try {
      return jsonOf(String(text), `${this.path}: training ${key}`);
    } catch (cause) {
      throw new StoreError((cause as Error).message, { cause });
    }
  }

  /** All of the work or nothing, also beside other processes. */
  #together(work: () => void): void {
    this.#used(() => this.#database.exec("BEGIN IMMEDIATE"));
    try {
      work();
      this.#used(() => this.#database.exec("COMMIT"));
    } catch (error) {
      // SQLite has already taken back what it could not write.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
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

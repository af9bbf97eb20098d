import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { measureNames } from "../report/experiment/experiment-record.ts";

/** A results file cannot be used: says why and what to do. */
export class StoreError extends Error {
  override name = "StoreError";
  readonly advice: string;

  constructor(message: string, options?: ErrorOptions, advice = "move it away, or give another folder with --store") {
    super(message, options);
    this.advice = advice;
  }
}

/** What SQLite says of a file, as an error that names it and says what to do; others stay what they are. */
export function storeError(path: string, error: unknown): unknown {
  const { code, message = "" } = (error ?? {}) as { code?: unknown; message?: string };
  if (error instanceof StoreError || !/SQLITE/.test(String(code))) return error;
  if (/not a database|malformed|corrupt/.test(message))
    return new StoreError(`${path} is damaged, or no SQLite file: ${message}`, { cause: error });
  if (/full/.test(message)) {
    const advice = "free some space and run the same command again: what is finished is kept";
    return new StoreError(`${path} cannot be written: the disk is full`, { cause: error }, advice);
  }
  const advice = "see that it can be written and no other program holds it, or give another folder with --store";
  return new StoreError(`${path} cannot be used: ${message}`, { cause: error }, advice);
}

/** Marks an SQLite file as one of these: "ACUT" in ASCII. */
const applicationId = 0x41435554;

const measures = measureNames.map((name) => `${name} REAL`).join(", ");

/**
 * `training` is the key of a row in `trainings`. A result's `data_key` is empty for the parts of the training's own data
 * set, and names the content of a further one. Undefined measures are NULL. These are the tables of version 1.
 */
const tables = `
CREATE TABLE files (path TEXT PRIMARY KEY, bytes INTEGER, modified_ms REAL, sha256 TEXT, problem TEXT);
CREATE TABLE experiments (name TEXT PRIMARY KEY, title TEXT, command TEXT, date TEXT, recipe TEXT);
CREATE TABLE trainings (
  key TEXT PRIMARY KEY, stage INTEGER NOT NULL, status TEXT NOT NULL, error TEXT, folder TEXT NOT NULL,
  options TEXT NOT NULL, adapter TEXT NOT NULL, version TEXT NOT NULL, seconds REAL NOT NULL DEFAULT 0,
  notes TEXT NOT NULL DEFAULT '[]', started TEXT, finished TEXT, pid INTEGER, host TEXT
);
CREATE TABLE runs (
  experiment TEXT NOT NULL, position INTEGER NOT NULL, variant TEXT NOT NULL, split_seed INTEGER, training_seed INTEGER,
  changes TEXT, settings TEXT, parts TEXT, stage_one TEXT, stage_two TEXT, PRIMARY KEY (experiment, position)
);
CREATE TABLE results (
  training TEXT NOT NULL, part TEXT NOT NULL, data_key TEXT NOT NULL, stage INTEGER NOT NULL, n INTEGER NOT NULL,
  ${measures}, PRIMARY KEY (training, part, data_key)
);
CREATE TABLE phases (training TEXT NOT NULL, name TEXT NOT NULL, seconds REAL);
CREATE TABLE losses (training TEXT NOT NULL, stage INTEGER, epoch INTEGER, step INTEGER, loss REAL, gradient_norm REAL);
CREATE TABLE refreshes (training TEXT NOT NULL, epoch INTEGER, refresh TEXT);
CREATE TABLE predictions (
  training TEXT NOT NULL, part TEXT NOT NULL, name TEXT, path TEXT, mos REAL, stage_one REAL, score REAL,
  standard_deviation REAL, confidence REAL
);
CREATE TABLE pseudo_labels (training TEXT NOT NULL, name TEXT, pseudo REAL, confidence REAL, mos REAL);
CREATE INDEX predictions_of ON predictions (training, part);
CREATE INDEX losses_of ON losses (training);
CREATE INDEX pseudo_labels_of ON pseudo_labels (training);
PRAGMA application_id = ${applicationId};
`;

/** What each version of the tables added to the one before; the first is all of it. */
const migrations = [
  tables,
  "ALTER TABLE trainings ADD COLUMN spread TEXT; ALTER TABLE predictions ADD COLUMN share_below REAL;",
  "ALTER TABLE trainings ADD COLUMN process_started TEXT; ALTER TABLE trainings ADD COLUMN renewed_ms REAL;",
  "ALTER TABLE trainings ADD COLUMN method TEXT NOT NULL DEFAULT 'cpl'; ALTER TABLE runs ADD COLUMN trainings TEXT;",
  "ALTER TABLE losses ADD COLUMN figures TEXT;",
  "ALTER TABLE runs ADD COLUMN fold INTEGER; ALTER TABLE predictions ADD COLUMN class INTEGER; ALTER TABLE predictions ADD COLUMN true_class INTEGER;",
  `CREATE TABLE epoch_tests (training TEXT NOT NULL, stage INTEGER, epoch INTEGER, srcc REAL, plcc REAL);
   CREATE TABLE networks (key TEXT PRIMARY KEY, parameters INTEGER NOT NULL, pictures_per_second REAL NOT NULL);`,
  "CREATE TABLE formula_scores (formula TEXT NOT NULL, sha256 TEXT NOT NULL, score REAL, PRIMARY KEY (formula, sha256));",
];

/**
 * Opens the database of a store, making it where there is none.
 * @throws StoreError when the file is damaged, another program's or of a later version, or this runtime has no SQLite
 */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  const { DatabaseSync } = await sqlite();
  const isNew = !existsSync(path);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    // Others that share the store wait for each other rather than fail.
    database.exec("PRAGMA busy_timeout = 30000");
    if (!isNew) expectIntact(database, path);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec("BEGIN IMMEDIATE");
    for (const migration of migrations.slice(pragma(database, "user_version"))) database.exec(migration);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec("COMMIT");
    return database;
  } catch (error) {
    try {
      database?.close();
    } catch {
      // A file that cannot be used cannot always be closed either; what is wrong with it is told below.
    }
    if (error instanceof StoreError) throw error;
    const { message } = error as Error;
    if (/not a database|malformed/.test(message))
      throw new StoreError(`${path} is damaged, or no SQLite file: ${message}`, { cause: error });
    const advice = "see that it can be written and no other program holds it, or give another folder with --store";
    throw new StoreError(`${path} cannot be opened: ${message}`, { cause: error }, advice);
  }
}

function expectIntact(database: DatabaseSync, path: string): void {
  const application = pragma(database, "application_id");
  const version = pragma(database, "user_version");
  const count = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()!["tables"];
  // Made and not filled: another process is about to, or was stopped before it did.
  if (count === 0 && application === 0 && version === 0) return;
  if (application !== applicationId) throw new StoreError(`${path} is an SQLite file of another program`);
  const schemaVersion = migrations.length;
  if (version > schemaVersion) {
    throw new StoreError(
      `${path} has tables of version ${version}, made by a later Acutance; this one knows ${schemaVersion}`,
    );
  }
  const [check] = Object.values(database.prepare("PRAGMA quick_check(1)").get()!);
  if (check !== "ok") throw new StoreError(`${path} is damaged: ${check}`);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0]);
}

async function sqlite(): Promise<typeof import("node:sqlite")> {
  try {
    return await import("node:sqlite");
  } catch (cause) {
    throw new StoreError("this runtime has no node:sqlite; use Bun 1.4, Node 24 or Deno 2.9, or newer", { cause });
  }
}

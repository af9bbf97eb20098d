import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { onDisk, printable } from "../data/files/file-name.ts";
import { applicationId, laterTables, storeVersion, tables } from "./schema.ts";
import { StoreError } from "./store-error.ts";

/** How long a process waits for another one that writes, milliseconds: a write takes less than one. */
const patienceMs = 30_000;

/** Primary codes of SQLite: https://sqlite.org/rescode.html */
const codes = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

const primary = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) & 0xff;

/**
 * Opens the database of a store, and makes it where there is none or an empty file.
 * @throws StoreError when that cannot be, or it is another's or of another version
 */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  expectPlace(path);
  // Node says that it is experimental when it is loaded; nobody needs to hear that who has no store.
  const { DatabaseSync: Database } = await import("node:sqlite").catch((cause: unknown) => {
    throw new StoreError("a store needs the module node:sqlite: Bun 1.4.5 or Node 24.2, or newer", { cause });
  });
  const name = onDisk(path);
  return explained(path, () => {
    const database = new Database(typeof name === "string" ? name : (new Uint8Array(name) as never));
    try {
      prepare(database, path);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** What SQLite throws, as a sentence. */
export function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_SQLITE_ERROR") throw cause;
    throw new StoreError(`the store ${printable(path)} ${wordsOf(cause, path)}`, { cause });
  }
}

function wordsOf(error: unknown, path: string): string {
  const folder = printable(dirname(path));
  switch (primary(error)) {
    case codes.notADatabase:
      return "is no store of scores: name a new file, or one that `acutance score --store` made";
    case codes.corrupt:
      return "is damaged: take a copy of it, or move it away to begin anew";
    case codes.readOnly:
      return `cannot be written: give permission to write it and its folder ${folder}, or name a file elsewhere`;
    case codes.cannotOpen:
      return `cannot be opened: give permission to write it and its folder ${folder}, or name a file elsewhere`;
    case codes.full:
      return "does not fit the disk: make room";
    case codes.busy:
      return `is in use: another process has been writing it for ${patienceMs / 1000} s`;
    case codes.ioError:
      return `cannot be read or written: its disk fails (${(error as Error).message})`;
    default:
      return `fails: ${(error as Error).message}`;
  }
}

/** @throws StoreError where SQLite would say of everything that it cannot open it */
function expectPlace(path: string): void {
  if (path === "") throw new StoreError("a store needs the name of a file");
  const there = statSync(onDisk(path), { throwIfNoEntry: false });
  const name = printable(path);
  if (there?.isDirectory()) throw new StoreError(`the store ${name} is a folder: name a file, such as scores.db in it`);
  if (there && !there.isFile()) throw new StoreError(`the store ${name} is no plain file: name another`);
  const folder = dirname(path);
  const holds = statSync(onDisk(folder), { throwIfNoEntry: false });
  if (!holds) throw new StoreError(`there is no folder ${printable(folder)} for the store ${name}: make it first`);
}

function prepare(database: DatabaseSync, path: string): void {
  database.exec(`PRAGMA busy_timeout = ${patienceMs}; PRAGMA foreign_keys = ON`);
  // Read before anything is written: a database of something else stays as it is.
  const found = within(database, "BEGIN", () => versionOf(database));
  if (!found.isEmpty) expectVersion(found, path);
  inWriteAheadMode(database);
  // What was written outlives the end of the process at once; in this mode nothing needs to wait for the disk for that.
  database.exec("PRAGMA synchronous = NORMAL");
  within(database, "BEGIN IMMEDIATE", () => {
    // Another process may have been quicker.
    const now = versionOf(database);
    if (now.isEmpty) {
      database.exec(tables);
      database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${storeVersion}`);
    } else expectVersion(now, path);
    database.exec(laterTables);
  });
}

/** What `work` reads is of one time, and what it writes is there as a whole or not at all. */
export function within<T>(database: DatabaseSync, begin: "BEGIN" | "BEGIN IMMEDIATE", work: () => T): T {
  database.exec(begin);
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** Two processes that change the mode at once may be refused without a wait. */
function inWriteAheadMode(database: DatabaseSync): void {
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (primary(error) !== codes.busy || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

interface Version {
  readonly application: number;
  readonly version: number;
  readonly isEmpty: boolean;
}

function versionOf(database: DatabaseSync): Version {
  const number = (text: string) => Object.values(database.prepare(text).get()!)[0] as number;
  const [application, version] = [number("PRAGMA application_id"), number("PRAGMA user_version")];
  const isEmpty = application === 0 && version === 0 && number("SELECT count(*) FROM sqlite_schema") === 0;
  return { application, version, isEmpty };
}

function expectVersion({ application, version }: Version, path: string): void {
  const name = printable(path);
  if (application !== applicationId)
    throw new StoreError(`${name} is a database of something else and no store of scores: name another file`);
  if (version === storeVersion) return;
  const advice =
    version > storeVersion ? "a newer Acutance made it, which can go on with it" : "move it away to begin anew";
  throw new StoreError(
    `the store ${name} is of version ${version}, this Acutance knows version ${storeVersion}: ${advice}, or name another file`,
  );
}

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { expectNames } from "../../engine/arguments.ts";
import type { PictureReason } from "../data/pictures/picture-error.ts";
import type { PictureScore } from "../scoring/picture-score.ts";
import { explained, openDatabase, within } from "./database.ts";
import { type FileState, pathKey, pathOfKey, timeTells } from "./files.ts";

/** What a store keeps of a score: all but the time it took and the histogram, which is longer than the rest together. */
export type StoredScore = Omit<PictureScore, "histogram" | "milliseconds">;

/** What a store keeps of a score by a formula. */
export interface StoredClassicScore {
  readonly score: number;
  /** Name of the method. */
  readonly model: string;
  readonly lowerIsBetter: boolean;
  readonly feature?: undefined;
}

/** What became of a picture's content. */
export type StoredResult =
  | StoredScore
  | StoredClassicScore
  | { readonly reason: PictureReason; readonly error: string };

/** What is known of a file. */
export interface KnownFile {
  readonly size: number;
  /** Microseconds since 1970; undefined where the time does not tell whether the file has changed since. */
  readonly changed: number | undefined;
  /** SHA-256. */
  readonly content: Uint8Array;
}

/** A file whose content was read. */
export interface ReadFile {
  readonly path: string;
  /** As it was before its content was read. */
  readonly state: FileState;
  /** SHA-256. */
  readonly content: Uint8Array;
}

/** What culling compares of a content, as JSON, or why it cannot be looked at. */
export type StoredLook = { readonly look: string } | { readonly reason: PictureReason; readonly error: string };

/** A picture of a store, as {@link Store.pictures} gives it. */
export interface StoredPicture {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content. */
  readonly content: Uint8Array;
  readonly result: StoredResult;
  /** When it was scored. */
  readonly scored: Date;
}

/** What scored pictures of a store. */
export interface StoredScorer {
  readonly id: number;
  /** Name of the model. */
  readonly model: string;
  /** Digests of the files of model and reasons, or of a formula's parameters, and how pictures were shown and decoded. */
  readonly conditions: object;
  readonly pictures: number;
}

export type Row = Readonly<Record<string, unknown>>;

const pictureNames = { scorer: true, features: true } as const;

/**
 * Scores that outlive a run, in a file of SQLite: made by {@link openStore}. Any number of processes may use it at a time. What a call has written
 * outlives the end of the process at once.
 */
export class Store {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Use {@link openStore}. */
  constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /** Files that are known, whether they have scores or not. */
  get files(): number {
    return this.#get("SELECT count(*) AS n FROM files")!["n"] as number;
  }

  /** What scored the pictures of the store: a model with options. */
  get scorers(): StoredScorer[] {
    const text =
      "SELECT id, model, conditions, (SELECT count(*) FROM results WHERE scorer = id) AS pictures FROM scorers ORDER BY id";
    return explained(this.path, () =>
      this.#statement(text)
        .all()
        .map((row) => ({ ...row, conditions: JSON.parse(row["conditions"] as string) }) as unknown as StoredScorer),
    );
  }

  /** The number of what scores under such conditions, which is new when the store has none. @param key digest of the conditions */
  scorer({ key, model, conditions }: { key: string; model: string; conditions: string }): number {
    return this.#together(() => {
      this.#run("INSERT INTO scorers (key, model, conditions) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
        key,
        model,
        conditions,
      ]);
      return this.#get("SELECT id FROM scorers WHERE key = ?", [key])!["id"] as number;
    });
  }

  /** What is known of a file by its path; undefined of one that is new or could not be read. */
  file(path: string): KnownFile | undefined {
    const row = this.#get("SELECT size, changed, content FROM files WHERE path = ?", [pathKey(path)]);
    if (!row?.["content"]) return undefined;
    const { size, changed, content } = row as { size: number; changed: number | null; content: Uint8Array };
    return { size, changed: changed ?? undefined, content };
  }

  /** The result of a content. @param features whether with its feature, where there is one */
  result(scorer: number, content: Uint8Array, features = false): StoredResult | undefined {
    const row = this.#get("SELECT result, reason, error FROM results WHERE scorer = ? AND content = ?", [
      scorer,
      content,
    ]);
    if (!row) return undefined;
    const feature =
      features && this.#get("SELECT feature FROM features WHERE scorer = ? AND content = ?", [scorer, content]);
    return resultOf({ ...row, ...(feature || {}) });
  }

  /** Notes what a file is. */
  noteFile(path: string, state: FileState, content: Uint8Array): void {
    this.#noteFile(path, state, content);
  }

  /** Notes why a file could not be read; it is tried again. */
  noteUnread(path: string, state: FileState | undefined, error: string): void {
    this.#run(
      `INSERT INTO files (path, size, changed, content, error, seen) VALUES (?, ?, NULL, NULL, ?, ?)
       ON CONFLICT (path) DO UPDATE SET size = excluded.size, changed = NULL, content = NULL, error = excluded.error, seen = excluded.seen`,
      [pathKey(path), state?.size ?? 0, error, Date.now()],
    );
  }

  /** Keeps the result of a file's content, all of it or nothing. */
  put(scorer: number, file: ReadFile, result: StoredResult): void {
    this.putMany(scorer, [[file, result]]);
  }

  /** Keeps the results of some files in one transaction, all of them or none. */
  putMany(scorer: number, results: Iterable<readonly [file: ReadFile, result: StoredResult]>): void {
    this.#together(() => {
      for (const [file, result] of results) this.#put(scorer, file, result);
    });
  }

  #put(scorer: number, file: ReadFile, result: StoredResult): void {
    const [words, feature] = wordsOf(result);
    this.#noteFile(file.path, file.state, file.content);
    this.#run(
      `INSERT INTO results (scorer, content, result, reason, error, scored) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (scorer, content) DO UPDATE SET result = excluded.result, reason = excluded.reason, error = excluded.error, scored = excluded.scored`,
      [scorer, file.content, ...words, Date.now()],
    );
    if (feature) {
      this.#run(
        "INSERT INTO features VALUES (?, ?, ?) ON CONFLICT (scorer, content) DO UPDATE SET feature = excluded.feature",
        [scorer, file.content, feature],
      );
    }
  }

  /** What culling compares of a content that was looked at under such conditions. */
  look(content: Uint8Array, conditions: string): StoredLook | undefined {
    const text = "SELECT look, reason, error FROM looks WHERE content = ? AND conditions = ?";
    const row = this.#get(text, [content, conditions]);
    if (!row) return undefined;
    return (
      row["look"] === null ? { reason: row["reason"], error: row["error"] } : { look: row["look"] }
    ) as StoredLook;
  }

  /** A small copy of a content. @param kind format and size */
  copy(content: Uint8Array, kind: string): Uint8Array | undefined {
    const row = this.#get("SELECT image FROM copies WHERE content = ? AND kind = ?", [content, kind]);
    return row?.["image"] as Uint8Array | undefined;
  }

  putCopy(content: Uint8Array, kind: string, image: Uint8Array): void {
    this.#run("INSERT INTO copies VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [content, kind, image]);
  }

  /** Keeps what culling compares of a file's content. */
  putLook(file: { path: string; state: FileState; content: Uint8Array }, conditions: string, found: StoredLook): void {
    const words = "look" in found ? [found.look, null, null] : [null, found.reason, found.error];
    this.#together(() => {
      this.#noteFile(file.path, file.state, file.content);
      this.#run(
        `INSERT INTO looks (content, conditions, look, reason, error) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (content, conditions) DO UPDATE SET look = excluded.look, reason = excluded.reason, error = excluded.error`,
        [file.content, conditions, ...words],
      );
    });
  }

  /**
   * Pictures of the store in the order of their paths, one at a time from the disk. Do not write the store meanwhile.
   * @param scorer number of one of {@link Store.scorers} @default the latest
   * @param features whether results carry features, which takes longer @default false
   */
  *pictures(options: { readonly scorer?: number; readonly features?: boolean } = {}): Generator<StoredPicture> {
    expectNames("pictures", options, pictureNames);
    const { scorer = this.scorers.at(-1)?.id, features = false } = options;
    if (scorer === undefined) return;
    const feature = features
      ? ", (SELECT feature FROM features WHERE scorer = results.scorer AND content = results.content) AS feature"
      : "";
    const text = `SELECT path, size, files.content AS content, result, reason, results.error AS error, scored${feature}
      FROM files JOIN results ON results.content = files.content AND scorer = ? ORDER BY path`;
    // A statement of its own: two walks may be under way.
    const rows = explained(this.path, () => this.#database.prepare(text).iterate(scorer));
    for (const row of rows as Iterable<Row>) {
      yield {
        path: pathOfKey(row["path"] as Uint8Array),
        size: row["size"] as number,
        content: row["content"] as Uint8Array,
        result: resultOf(row),
        scored: new Date(row["scored"] as number),
      };
    }
  }

  /** Forgets files, such as those that were removed. Results of their content stay for copies of them. */
  forget(paths: Iterable<string>): void {
    this.#together(() => {
      for (const path of paths) this.#run("DELETE FROM files WHERE path = ?", [pathKey(path)]);
    });
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #noteFile(path: string, state: FileState, content: Uint8Array): void {
    this.#run(
      `INSERT INTO files (path, size, changed, content, error, seen) VALUES (?, ?, ?, ?, NULL, ?)
       ON CONFLICT (path) DO UPDATE SET size = excluded.size, changed = excluded.changed, content = excluded.content, error = NULL, seen = excluded.seen`,
      [pathKey(path), state.size, timeTells(state) ? state.changed : null, content, Date.now()],
    );
  }

  #statement(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#database.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #get(text: string, values: readonly unknown[] = []): Row | undefined {
    return explained(this.path, () => this.#statement(text).get(...(values as never[])) as Row | undefined);
  }

  #run(text: string, values: readonly unknown[]): void {
    explained(this.path, () => this.#statement(text).run(...(values as never[])));
  }

  #together<T>(work: () => T): T {
    return explained(this.path, () => within(this.#database, "BEGIN IMMEDIATE", work));
  }
}

/** Columns result, reason and error, and the feature's bytes. */
export function wordsOf(result: StoredResult): [words: (string | null)[], feature: Uint8Array | undefined] {
  if ("error" in result) return [[null, result.reason, result.error], undefined];
  const { feature, ...rest } = result;
  const { histogram: _, milliseconds: __, ...lasting } = rest as Partial<PictureScore>;
  return [
    [JSON.stringify(lasting), null, null],
    feature && new Uint8Array(feature.buffer, feature.byteOffset, feature.byteLength),
  ];
}

/** What columns result, reason, error and feature say. */
export function resultOf({ result, reason, error, feature }: Row): StoredResult {
  if (typeof result !== "string") return { reason: reason as PictureReason, error: error as string };
  const score = JSON.parse(result) as StoredScore;
  // The bytes of a row may begin anywhere; numbers of four bytes may not.
  return feature ? { ...score, feature: new Float32Array((feature as Uint8Array).slice().buffer) } : score;
}

/**
 * Opens the store of scores in a file, which is made where there is none.
 * @throws StoreError, in a sentence that says what to do: the file is no store, is of another version or cannot be written
 */
export async function openStore(path: string): Promise<Store> {
  return new Store(path, await openDatabase(path));
}

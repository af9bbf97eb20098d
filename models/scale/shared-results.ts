import type { FileState } from "../store/files.ts";
import type { ReadFile, Store, StoredResult } from "../store/store.ts";

/** What tells a scorer from others in a store. */
export type ScorerFacts = Parameters<Store["scorer"]>[0];

/** A result that is to be kept. */
export type Entry = readonly [file: ReadFile, result: StoredResult];

/** A store of scores that several workers use at a time: one row for each content and scorer, however often it is written. */
export interface Results extends AsyncDisposable {
  /** The store in words, without credentials. */
  readonly place: string;
  scorer(facts: ScorerFacts): Promise<number>;
  /** SHA-256 of a file that is as it was when it was read; undefined of any other. */
  content(path: string, state: FileState): Promise<Uint8Array | undefined>;
  result(scorer: number, content: Uint8Array): Promise<StoredResult | undefined>;
  /** Keeps results, all of them or none. */
  put(scorer: number, entries: readonly Entry[]): Promise<void>;
  noteFile(file: ReadFile): Promise<void>;
  noteUnread(path: string, state: FileState | undefined, error: string): Promise<void>;
}

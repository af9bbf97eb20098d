import { type FileState, sameState } from "../store/files.ts";
import { openStore, type ReadFile, type Store, type StoredResult } from "../store/store.ts";
import { openPostgres } from "./postgres.ts";
import type { Entry, Results, ScorerFacts } from "./shared-results.ts";

/**
 * Opens the store that a word names: `postgres://…`, or else a file of SQLite.
 * @throws StoreError, in a sentence without credentials
 */
export async function openResults(place: string): Promise<Results> {
  return /^postgres(?:ql)?:\/\//i.test(place) ? openPostgres(place) : new SqliteResults(await openStore(place));
}

class SqliteResults implements Results {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get place(): string {
    return this.#store.path;
  }

  async scorer(facts: ScorerFacts): Promise<number> {
    return this.#store.scorer(facts);
  }

  async content(path: string, state: FileState): Promise<Uint8Array | undefined> {
    const known = this.#store.file(path);
    const isSame = known?.changed !== undefined && sameState(state, { size: known.size, changed: known.changed });
    return isSame ? known.content : undefined;
  }

  async result(scorer: number, content: Uint8Array): Promise<StoredResult | undefined> {
    return this.#store.result(scorer, content);
  }

  async put(scorer: number, entries: readonly Entry[]): Promise<void> {
    this.#store.putMany(scorer, entries);
  }

  async noteFile({ path, state, content }: ReadFile): Promise<void> {
    this.#store.noteFile(path, state, content);
  }

  async noteUnread(path: string, state: FileState | undefined, error: string): Promise<void> {
    this.#store.noteUnread(path, state, error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store.close();
  }
}

/** How long a result waits for others to be written with it, and how many are written at once. */
const [together, mostTogether] = [10, 256];

/** Writes results that come at the same time in one transaction. */
export class GroupedWrites {
  readonly #results: Results;
  readonly #scorer: number;
  #entries: Entry[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(results: Results, scorer: number) {
    this.#results = results;
    this.#scorer = scorer;
  }

  /** Resolves when the result is kept. @throws what the store throws, to all that were written with it */
  put(file: ReadFile, result: StoredResult): Promise<void> {
    this.#entries.push([file, result]);
    if (!this.#waiting) {
      this.#waiting = Promise.withResolvers();
      this.#waiting.promise.catch(() => {}); // thrown where it is awaited
      setTimeout(() => this.#flush(), together);
    } else if (this.#entries.length >= mostTogether) {
      const { promise } = this.#waiting;
      this.#flush();
      return promise;
    }
    return this.#waiting.promise;
  }

  #flush(): void {
    const [entries, waiting] = [this.#entries, this.#waiting];
    if (!waiting || entries.length === 0) return;
    this.#entries = [];
    this.#waiting = undefined;
    // The same content twice: the later row would be that of both, and PostgreSQL takes no row twice in a statement.
    this.#results.put(this.#scorer, entries).then(waiting.resolve, waiting.reject);
  }
}

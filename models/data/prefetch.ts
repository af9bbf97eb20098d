import { expectNames } from "../../engine/arguments.ts";
/** One item with what became of it. */
export type Prefetched<Item, Value> =
  | { readonly ok: true; readonly index: number; readonly item: Item; readonly value: Value }
  | { readonly ok: false; readonly index: number; readonly item: Item; readonly error: unknown };

export interface PrefetchOptions {
  /** Items loaded or being loaded beyond the one handed out: the bound on memory. At least 1. @default 8 */
  readonly ahead?: number;
  /** Loads running at a time, at most `ahead`. @default 4 */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

const names = { ahead: true, concurrency: true, signal: true } satisfies Record<keyof PrefetchOptions, true>;

/**
 * Loads items ahead of their use and hands them out in order. A load that fails is handed out as a result with its
 * error; it neither ends the iteration nor rejects elsewhere. Loading starts with the first request.
 *
 * When the consumer stops early (`break`, `return`), or the signal aborts, no further load starts, the signal passed to
 * `load` aborts, and the iterator closes once the running loads have ended.
 * @param load gets the item and a signal that aborts when its result is no longer wanted
 * @throws RangeError when ahead or concurrency is not a positive integer; the signal's reason when it aborts; what the
 * iterator of `items` throws
 */
export async function* prefetch<Item, Value>(
  items: Iterable<Item> | AsyncIterable<Item>,
  load: (item: Item, signal: AbortSignal) => Promise<Value> | Value,
  options: PrefetchOptions = {},
): AsyncGenerator<Prefetched<Item, Value>, void, undefined> {
  expectNames("prefetch", options, names);
  const { ahead = 8, concurrency = Math.min(4, ahead), signal } = options;
  for (const [name, value] of Object.entries({ ahead, concurrency })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`prefetch needs a positive integer as ${name}, got ${value}.`);
    }
  }
  const stop = new AbortController();
  const limit = new Limit(Math.min(concurrency, ahead));
  const window: Promise<Prefetched<Item, Value>>[] = [];
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let index = 0;
  let exhausted = false;

  const start = async (item: Item, at: number): Promise<Prefetched<Item, Value>> => {
    try {
      const value = await limit.run(() => {
        stop.signal.throwIfAborted();
        return load(item, stop.signal);
      });
      return { ok: true, index: at, item, value };
    } catch (error) {
      return { ok: false, index: at, item, error };
    }
  };
  /** The next item of an asynchronous source; stays when it rejects, to be thrown where it is awaited. */
  let pulling: Promise<undefined> | undefined;
  const take = (next: IteratorResult<Item>): undefined => {
    pulling = undefined;
    if (next.done) exhausted = true;
    else window.push(start(next.value, index++));
  };
  const fill = () => {
    while (!exhausted && !pulling && window.length < ahead) {
      const next = source.next();
      if (next instanceof Promise) {
        pulling = next.then(take);
        pulling.catch(() => {});
      } else take(next);
    }
  };

  try {
    for (;;) {
      signal?.throwIfAborted();
      fill();
      const [first] = window;
      if (!first && !pulling) return;
      const result = await soonest<Prefetched<Item, Value> | undefined>([first, pulling], signal);
      if (!result) continue; // an item has come
      window.shift();
      yield result;
    }
  } finally {
    stop.abort();
    // An asynchronous source answers when its item in hand has come, which may be never.
    if (!exhausted) Promise.resolve(source.return?.()).catch(() => {});
    await Promise.all(window);
  }
}

/** What the first of the promises gives, unless the signal aborts before. */
async function soonest<T>(promises: readonly (Promise<T> | undefined)[], signal: AbortSignal | undefined): Promise<T> {
  // One for each wait: a promise that outlived them would keep the result of every race that it lost.
  const aborted = signal && whenAborted(signal);
  try {
    return await Promise.race([...promises, aborted?.promise].filter((promise) => promise !== undefined));
  } finally {
    aborted?.release();
  }
}

/** A promise that rejects with the signal's reason; `release` takes the listener off. */
export function whenAborted(signal: AbortSignal): { promise: Promise<never>; release: () => void } {
  let listener = () => {};
  const promise = new Promise<never>((_, reject) => {
    listener = () => reject(signal.reason);
    signal.addEventListener("abort", listener, { once: true });
    if (signal.aborted) listener();
  });
  promise.catch(() => {}); // an abort between two requests is thrown at the next one
  return { promise, release: () => signal.removeEventListener("abort", listener) };
}

/** Runs at most `slots` tasks at a time, first come first served. */
export class Limit {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  async run<T>(task: () => Promise<T> | T): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

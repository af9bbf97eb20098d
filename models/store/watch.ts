import { type FSWatcher, watch } from "node:fs";
import { dirname, extname, join } from "node:path";
import { expectNames } from "../../engine/arguments.ts";
import { onDisk, printable } from "../data/files/file-name.ts";
import { listFolder, passedOverWords } from "../data/files/folder.ts";
import { DatasetError } from "../data/problems.ts";
import { type FileState, fileState, sameState } from "./files.ts";

export interface WatchOptions {
  /** Ends the watch, without an error. */
  readonly signal?: AbortSignal;
  /** A file is given out once its size and time have stayed for so long, milliseconds. @default 1000 */
  readonly restMs?: number;
  /**
   * The longest time between two looks at the folders where the system tells of no change, as network drives do, milliseconds; where a look takes
   * long, ten times as long as it. @default 2000
   */
  readonly everyMs?: number;
  /** Told, in sentences, of folders that cannot be read, and of what was passed over. */
  readonly onNote?: (note: string) => void;
}

const names = { signal: true, restMs: true, everyMs: true, onNote: true } satisfies Record<keyof WatchOptions, true>;

/** What has become of the files of folders since the last time. */
export interface WatchedChange {
  /** Files that are new or have changed, and rest. */
  readonly pictures: readonly string[];
  /** What might be a picture and cannot be read, or hold some; told once as long as it stays so. */
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
  /** Files given out before that are no more. */
  readonly removed: readonly string[];
}

/** Files under such names are still being fetched. */
const unfinished = new Set(["part", "partial", "crdownload", "download", "filepart", "tmp", "temp"]);

/** Folders that the system is asked to tell of, at most: it has a limit, and what it does not tell is found by looking. */
const mostHints = 512;
/** What is told within such a time is one change. */
const togetherMs = 50;
/** Looks take at most this share of the time. */
const busyShare = 0.1;

interface Known {
  state: FileState;
  /** When it was first seen so. */
  since: number;
  given: boolean;
}

/**
 * The pictures of folders and their subfolders, at first all that are there, then those that come or change, for ever. Folders are looked through again and
 * again, which is right on every system and drive; what the system tells of changes (fs.watch) only makes the next look come sooner. A file that is
 * being written is waited for. Links are followed, but not into a folder that they lie in.
 * @throws RangeError for a time that means nothing
 */
export async function* watchPictures(
  folders: readonly string[],
  options: WatchOptions = {},
): AsyncGenerator<WatchedChange, void, undefined> {
  expectNames("watchPictures", options, names);
  const { signal, restMs = 1000, everyMs = 2000 } = options;
  for (const [name, value] of Object.entries({ restMs, everyMs })) {
    if (!(value >= 0 && value < 2 ** 31)) throw new RangeError(`${name} must be from 0 to 2147483647, got ${value}`);
  }
  using watching = new Watching(folders, { restMs, onNote: options.onNote ?? (() => {}) });
  while (!signal?.aborted) {
    const start = performance.now();
    const change = await watching.look();
    const tookMs = performance.now() - start;
    if (signal?.aborted) return;
    if (change.pictures.length + change.leftOut.length + change.removed.length > 0) yield change;
    const leastMs = Math.max(togetherMs, tookMs / busyShare);
    await watching.pause({ leastMs, mostMs: Math.max(leastMs, watching.isUnresting ? restMs : everyMs) }, signal);
  }
}

class Watching implements Disposable {
  readonly #folders: readonly string[];
  readonly #restMs: number;
  readonly #onNote: (note: string) => void;
  readonly #files = new Map<string, Known>();
  readonly #hints = new Map<string, FSWatcher>();
  /** What was told already. */
  #notes = new Set<string>();
  #leftOut = new Set<string>();
  #wake: () => void = () => {};
  #told = false;
  isUnresting = false;

  constructor(
    folders: readonly string[],
    { restMs, onNote }: { readonly restMs: number; readonly onNote: (note: string) => void },
  ) {
    this.#folders = folders;
    this.#restMs = restMs;
    this.#onNote = onNote;
  }

  async look(): Promise<WatchedChange> {
    this.#told = false;
    const [pictures, seen, unread] = [[] as string[], new Set<string>(), [] as string[]];
    const leftOut = new Map<string, string>();
    const notes = new Set<string>();
    for (const folder of this.#folders) {
      try {
        const listing = await listFolder(folder);
        const passed = passedOverWords(listing);
        if (passed) notes.add(`${printable(folder)}: ${passed}`);
        for (const { name, why } of listing.leftOut) {
          const path = join(folder, name);
          leftOut.set(path, why);
          unread.push(`${path}/`);
        }
        let looked = 0;
        for (const name of listing.pictures) {
          const path = join(folder, name);
          seen.add(path);
          if (this.#rests(path)) pictures.push(path);
          if (++looked % 1000 === 0) await new Promise(setImmediate);
        }
      } catch (error) {
        if (!(error instanceof DatasetError)) throw error;
        notes.add(`${error.message} It is looked for again.`);
        unread.push(folder.endsWith("/") ? folder : `${folder}/`);
      }
    }
    const removed = this.#removed(seen, unread);
    this.isUnresting = [...this.#files.values()].some(({ given }) => !given);
    this.#say(notes);
    const fresh = [...leftOut].filter(([path, why]) => !this.#leftOut.has(`${path}\0${why}`));
    this.#leftOut = new Set([...leftOut].map(([path, why]) => `${path}\0${why}`));
    this.#listen(seen);
    return { pictures, leftOut: fresh.map(([path, why]) => ({ path, why })), removed };
  }

  /** Waits for the most, or for the least once the system tells of a change. */
  async pause(
    { leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (signal?.aborted) return;
    const timers: ReturnType<typeof setTimeout>[] = [];
    let end = () => {};
    await new Promise<void>((resolve) => {
      end = resolve;
      timers.push(setTimeout(resolve, mostMs));
      this.#wake = () => {
        this.#wake = () => {};
        timers.push(setTimeout(resolve, leastMs));
      };
      signal?.addEventListener("abort", end, { once: true });
      if (this.#told) this.#wake();
    });
    signal?.removeEventListener("abort", end);
    for (const timer of timers) clearTimeout(timer);
    this.#wake = () => {};
  }

  [Symbol.dispose](): void {
    for (const hint of this.#hints.values()) hint.close();
    this.#hints.clear();
  }

  /** Whether a file is to be given out now. */
  #rests(path: string): boolean {
    if (unfinished.has(extname(path).slice(1).toLowerCase())) return false;
    const now = performance.now();
    let state: FileState;
    try {
      state = fileState(path);
    } catch {
      // It goes as it is looked at, or the scorer says why it cannot be read.
      state = { size: -1, changed: -1 };
    }
    const known = this.#files.get(path);
    if (!known || !sameState(known.state, state)) {
      this.#files.set(path, { state, since: now, given: false });
      return false;
    }
    if (known.given || now - known.since < this.#restMs) return false;
    known.given = true;
    return true;
  }

  /** Files that are no more. @param unread folders of which nothing can be said */
  #removed(seen: ReadonlySet<string>, unread: readonly string[]): string[] {
    const removed: string[] = [];
    for (const [path, { given }] of this.#files) {
      if (seen.has(path) || unread.some((folder) => path.startsWith(folder))) continue;
      this.#files.delete(path);
      if (given) removed.push(path);
    }
    return removed;
  }

  #say(notes: Set<string>): void {
    for (const note of notes) if (!this.#notes.has(note)) this.#onNote(note);
    this.#notes = notes;
  }

  /** Asks the system to tell of changes in folders that hold pictures. */
  #listen(seen: ReadonlySet<string>): void {
    const wanted = new Set(this.#folders);
    for (const path of seen) wanted.add(dirname(path));
    for (const [folder, hint] of this.#hints) {
      if (wanted.has(folder)) continue;
      hint.close();
      this.#hints.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#hints.has(folder) || this.#hints.size >= mostHints) continue;
      try {
        const hint = watch(onDisk(folder), { persistent: false }, () => {
          this.#told = true;
          this.#wake();
        });
        const end = () => {
          hint.close();
          this.#hints.delete(folder);
        };
        hint.on("error", end);
        this.#hints.set(folder, hint);
      } catch {
        // Found by looking.
      }
    }
  }
}

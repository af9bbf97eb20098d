import { createHash } from "node:crypto";
import { expectNames } from "../../engine/arguments.ts";
import type { ClassicScored, ClassicScorer } from "../classic/scorer.ts";
import { noScore } from "../classic/seen-pictures.ts";
import { reasonOf } from "../data/files/reason-of.ts";
import { PictureError, type PictureReason } from "../data/pictures/picture-error.ts";
import type { ScoredPicture, Scorer } from "../scoring/scorer.ts";
import { contentHash, type FileState, fileState, isLasting, sameState } from "./files.ts";
import type { Store, StoredClassicScore, StoredResult, StoredScore } from "./store.ts";

/** A picture with its score or error, and whether that was in the store. */
export type StorePicture<Score = StoredScore> = {
  readonly path: string;
  /** Place among the paths that were given. */
  readonly index: number;
  /** Whether it was not scored again. */
  readonly stored: boolean;
  /** Bytes of the file, where it could be read. */
  readonly size?: number;
} & (Score | { readonly error: Error });

export interface ScoreStoredOptions<Score = StoredScore> {
  /** Ends the walk with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Whether results carry the features of pictures, those in the store too: a scorer with the option `features` is needed. @default false */
  readonly features?: boolean;
  /** Told of each picture as soon as it has its score or error and that is kept, which may be before its turn. */
  readonly onResult?: (result: StorePicture<Score>) => void;
}

const names = { signal: true, features: true, onResult: true } satisfies Record<keyof ScoreStoredOptions, true>;

/** A file that changes each time while it is scored is given up after so many times. */
const mostTries = 3;

/**
 * Scores files, and takes from the store what it has: of a file whose size and time of change are as they were, else of one whose content is known
 * by its SHA-256, such as a moved or copied one. A formula is known by its parameters. Every result is in the store before it is handed out. Results of another model, of other options and of
 * other reasons are kept apart. What is in the store at once comes first, then the rest as it is scored.
 * @throws StoreError; as `scorer.scoreMany` does
 */
export function scoreStored(
  store: Store,
  scorer: Scorer,
  paths: readonly string[],
  options?: ScoreStoredOptions,
): AsyncGenerator<StorePicture, void, undefined>;
export function scoreStored(
  store: Store,
  scorer: ClassicScorer,
  paths: readonly string[],
  options?: ScoreStoredOptions<StoredClassicScore>,
): AsyncGenerator<StorePicture<StoredClassicScore>, void, undefined>;
export function scoreStored(
  store: Store,
  scorer: Scorer | ClassicScorer,
  paths: readonly string[],
  options: ScoreStoredOptions<never> = {},
): AsyncGenerator<StorePicture<never>, void, undefined> {
  return walkStored(store, scorer, paths, options as ScoreStoredOptions<AnyScore>) as never;
}

type AnyScore = StoredScore | StoredClassicScore;

async function* walkStored(
  store: Store,
  scorer: Scorer | ClassicScorer,
  paths: readonly string[],
  options: ScoreStoredOptions<AnyScore>,
): AsyncGenerator<StorePicture<AnyScore>, void, undefined> {
  expectNames("scoreStored", options, names);
  const { signal, onResult = () => {}, features = false } = options;
  const number = store.scorer(await scorerFacts(scorer));
  const { name: model } = scorer;
  const isFormula = "scale" in scorer;
  const lowerIsBetter = isFormula && scorer.scale.lowerIsBetter;
  const walk = new Walk(paths, { store, scorer: number, model, isFormula, lowerIsBetter, features, told: onResult });
  for (let index = 0; index < paths.length; index++) {
    signal?.throwIfAborted();
    walk.look(index);
    yield* walk.ready();
    // Signals are heard, and bars drawn, in between.
    if (index % 256 === 255) await new Promise(setImmediate);
  }
  for (let round = 1; walk.left.length > 0; round++) {
    const sources = walk.sources(signal);
    const take = (result: ScoredPicture<string> | ClassicScored<string>) => walk.take(result, round === mostTries);
    const scored =
      "scale" in scorer
        ? scorer.scoreMany(sources, take)
        : scorer.scoreMany(sources, { ...(signal && { signal }), onResult: take });
    for await (const _ of scored) yield* walk.ready();
    yield* walk.ready();
  }
}

interface Begun {
  readonly index: number;
  readonly state: FileState;
  readonly content: Uint8Array;
}

interface WalkOptions {
  readonly store: Store;
  /** Its number in the store. */
  readonly scorer: number;
  readonly model: string;
  readonly isFormula: boolean;
  /** Of a formula. */
  readonly lowerIsBetter: boolean;
  readonly features: boolean;
  readonly told: (result: StorePicture<AnyScore>) => void;
}

class Walk {
  readonly #options: WalkOptions;
  readonly #store: Store;
  readonly #paths: readonly string[];
  #ready: StorePicture<AnyScore>[] = [];
  /** What is being scored, in the order in which the scorer was given it. */
  #begun: Begun[] = [];
  /** Places that have neither score nor error yet and are not being scored. */
  left: number[] = [];

  constructor(paths: readonly string[], options: WalkOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#paths = paths;
  }

  /** Takes what the store has of a file by its size and time; others are left. */
  look(index: number): void {
    const path = this.#paths[index]!;
    const state = this.#stateOf(index);
    if (!state) return;
    const known = this.#store.file(path);
    const isSame = known?.changed !== undefined && sameState(state, { size: known.size, changed: known.changed });
    const result = isSame ? this.#stored(known.content) : undefined;
    if (result) this.#tell(index, result, { stored: true, size: state.size });
    else this.left.push(index);
  }

  /** Paths of those left that have no result by their content. */
  async *sources(signal: AbortSignal | undefined): AsyncGenerator<string, void, undefined> {
    this.#begun = [];
    for (const index of this.left.splice(0)) {
      const path = this.#paths[index]!;
      const state = this.#stateOf(index);
      if (!state) continue;
      let content: Uint8Array;
      try {
        content = await contentHash(path, signal);
      } catch (error) {
        signal?.throwIfAborted();
        this.#fail(index, unreadable(path, error), state);
        continue;
      }
      const result = this.#stored(content);
      if (result) {
        // Of what was read; what it became meanwhile is of the next run.
        this.#store.noteFile(path, state, content);
        this.#tell(index, result, { stored: true, size: state.size });
        continue;
      }
      this.#begun.push({ index, state, content });
      yield path;
    }
  }

  /** Keeps what the scorer found, unless the file has changed since its content was taken. @param last not to be tried again */
  take(found: ScoredPicture<string> | ClassicScored<string>, last: boolean): void {
    const { index, state, content } = this.#begun[found.index]!;
    const path = this.#paths[index]!;
    if (!isStill(path, state)) {
      if (!last) this.left.push(index);
      else this.#fail(index, changing(path), undefined);
      return;
    }
    if (!("error" in found) && !("model" in found)) {
      const { model, lowerIsBetter } = this.#options;
      const score = { score: found.score, model, lowerIsBetter };
      this.#store.put(this.#options.scorer, { path, state, content }, score);
      this.#tell(index, score, { stored: false, size: state.size });
      return;
    }
    if (!("error" in found)) {
      const { picture: _, index: __, histogram: ___, milliseconds: ____, ...score } = found;
      this.#store.put(this.#options.scorer, { path, state, content }, score);
      const { feature, ...plain } = score;
      const wanted = this.#options.features && feature ? score : plain;
      this.#tell(index, wanted, { stored: false, size: state.size });
      return;
    }
    const { error } = found;
    if (error instanceof PictureError && isLasting(error.reason)) {
      const text = error.detail;
      this.#store.put(this.#options.scorer, { path, state, content }, { reason: error.reason, error: text });
    } else this.#store.noteUnread(path, state, error.message);
    this.#give({ path, index, stored: false, size: state.size, error });
  }

  #stored(content: Uint8Array): StoredResult | undefined {
    const { scorer, features } = this.#options;
    return this.#store.result(scorer, content, features);
  }

  ready(): StorePicture<AnyScore>[] {
    return this.#ready.splice(0);
  }

  #stateOf(index: number): FileState | undefined {
    const path = this.#paths[index]!;
    try {
      return fileState(path);
    } catch (error) {
      this.#fail(index, unreadable(path, error), undefined);
      return undefined;
    }
  }

  #fail(index: number, error: PictureError, state: FileState | undefined): void {
    const path = this.#paths[index]!;
    this.#store.noteUnread(path, state, error.message);
    this.#give({ path, index, stored: false, ...(state && { size: state.size }), error });
  }

  #tell(index: number, result: StoredResult, told: { stored: boolean; size: number }): void {
    const path = this.#paths[index]!;
    if ("error" in result) this.#give({ path, index, ...told, error: errorOf(path, result, this.#options.isFormula) });
    // The name is the scorer's of today; a file may have been given another.
    else this.#give({ ...result, model: this.#options.model, path, index, ...told });
  }

  #give(result: StorePicture<AnyScore>): void {
    this.#options.told(result);
    this.#ready.push(result);
  }
}

function isStill(path: string, state: FileState): boolean {
  try {
    return sameState(fileState(path), state);
  } catch {
    return false;
  }
}

const errorOf = (path: string, { reason, error }: { reason: PictureReason; error: string }, isFormula: boolean) =>
  isFormula && reason === "no-score" ? noScore(path, error) : new PictureError(path, reason, error);

const reasons: Readonly<Record<string, PictureReason>> = {
  ENOENT: "missing",
  ENOTDIR: "missing",
  EISDIR: "not-a-file",
  ENOTFILE: "not-a-file",
};

function unreadable(path: string, error: unknown): PictureError {
  const { code } = error as NodeJS.ErrnoException;
  const reason = reasons[code ?? ""] ?? "unreadable";
  return new PictureError(path, reason, `The file cannot be read: ${reasonOf(error)}.`, { cause: error });
}

function changing(path: string): PictureError {
  return new PictureError(path, "unreadable", `The file changed while it was read, ${mostTries} times.`, {
    advice: "Score it again when it is written.",
  });
}

/** What a store knows a scorer by: the content of its files, not where they lie. */
export async function scorerFacts(scorer: Scorer | ClassicScorer): Promise<Parameters<Store["scorer"]>[0]> {
  const { name } = scorer;
  const text = JSON.stringify("scale" in scorer ? scorer.conditions : await factsOf(scorer));
  return { key: createHash("sha256").update(text).digest("hex"), model: name, conditions: text };
}

async function factsOf({ conditions }: Scorer): Promise<object> {
  const { model, reasons, ...rest } = conditions;
  const digest = async (path: string) => Buffer.from(await contentHash(path)).toString("hex");
  return {
    model: await digest(model),
    reasons: reasons === undefined ? null : await digest(reasons),
    ...rest,
  };
}

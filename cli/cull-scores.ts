import type { SeeManyOptions } from "../models/culling/see-many.ts";
import { scoresOf } from "../models/culling/see-many.ts";
import type { Decoding } from "../models/data/index.ts";
import { openScorer, type Scorer } from "../models/scoring/scorer.ts";
import { type Store, scoreStored } from "../models/store/index.ts";
import { deviceSource, type TuningFlags } from "./device.ts";

export interface CullScoreFlags extends TuningFlags {
  readonly model: string;
  readonly reasons?: boolean | string;
  readonly store?: string;
}

/** Where culling gets scores from: a scorer, and a store before it where there is one. */
export interface CullScores extends AsyncDisposable {
  /** Scores of such files, whenever each is wanted. */
  of(paths: readonly string[]): Pick<SeeManyOptions, "score" | "ahead">;
  /** Those that came from the store so far. */
  readonly stored: number;
}

export async function openCullScores(
  flags: CullScoreFlags,
  decoding: Decoding,
  store: Store | undefined,
): Promise<CullScores> {
  const scorer = await openScorer({
    model: flags.model,
    device: deviceSource(flags),
    ...decoding,
    reasons: flags.reasons ?? true,
    // All that a store keeps, as `acutance score` does: the two share one.
    features: store !== undefined,
    sharpness: store !== undefined,
    onNote: (note) => console.error(`note: ${note}`),
  });
  return store ? new StoredScores(store, scorer) : new OwnScores(scorer);
}

class OwnScores implements CullScores {
  readonly stored = 0;
  readonly #scorer: Scorer;

  constructor(scorer: Scorer) {
    this.#scorer = scorer;
  }

  of() {
    return { score: scoresOf(this.#scorer), ahead: this.#scorer.ahead };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scorer.close();
  }
}

class StoredScores implements CullScores {
  stored = 0;
  readonly #store: Store;
  readonly #scorer: Scorer;
  readonly #stop = new AbortController();
  #walk: Promise<void> = Promise.resolve();

  constructor(store: Store, scorer: Scorer) {
    this.#store = store;
    this.#scorer = scorer;
  }

  of(paths: readonly string[]) {
    type Score = Awaited<ReturnType<NonNullable<SeeManyOptions["score"]>>>;
    const waiting = new Map(paths.map((path) => [path, Promise.withResolvers<Score>()]));
    for (const { promise } of waiting.values()) promise.catch(() => {}); // awaited when its picture is seen
    const walk = async () => {
      const results = scoreStored(this.#store, this.#scorer, paths, { signal: this.#stop.signal });
      for await (const result of results) {
        if ("error" in result) waiting.get(result.path)!.reject(result.error);
        else {
          if (result.stored) this.stored++;
          const { score, range, interval, reasons, typicality } = result;
          const trust = { ...(interval && { interval }), ...(typicality && { typicality }) };
          waiting.get(result.path)!.resolve({ score, range, ...trust, ...(reasons && { reasons }) });
        }
      }
    };
    this.#walk = walk().catch((error: unknown) => {
      for (const { reject } of waiting.values()) reject(error);
    });
    return { score: (path: string) => waiting.get(path)!.promise, ahead: this.#scorer.ahead };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#walk;
    await this.#scorer.close();
  }
}

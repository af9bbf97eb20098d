import type { ClassicScored } from "../models/classic/index.ts";
import { openScorer, type ScoredPicture, type Scorer } from "../models/scoring/scorer.ts";
import {
  openStore,
  type Store,
  type StoredClassicScore,
  type StorePicture,
  scoreStored,
} from "../models/store/index.ts";
import { type ChosenClassic, type ClassicFlags, openClassic } from "./classic-options.ts";
import { type DecodingOptions, decodingOf } from "./data-options.ts";
import { deviceSource, type TuningFlags } from "./device.ts";
import { factsOf } from "./score-facts.ts";
import type { Asked } from "./score-pictures.ts";
import type { RowFacts, ScoreRow } from "./score-row.ts";
import { rowOf, type ScoreScale } from "./score-words.ts";

export interface SourceFlags extends TuningFlags, DecodingOptions, ClassicFlags {
  readonly model: string;
  readonly tiles?: number;
  readonly checkNumbers?: boolean;
  readonly reasons?: boolean | string;
  readonly memory?: number;
  readonly store?: string;
}

/** What scores pictures: a model or a formula, with a store or without. */
export interface RowSource extends AsyncDisposable {
  readonly scale: ScoreScale;
  /** Rows that came from the store so far. */
  readonly stored: number;
  /** Gives the row of each picture as soon as it has one. */
  score(pictures: readonly Asked[], take: (row: ScoreRow, place: number) => void): Promise<void>;
  /** Tells that files are no more. */
  forget(paths: readonly string[]): void;
}

/** @param withFacts whether rows have what is known of a picture beside its score */
export async function openRowSource(
  flags: SourceFlags,
  classic: ChosenClassic | undefined,
  withFacts: boolean,
): Promise<RowSource> {
  const device = deviceSource(flags);
  // Before a device is opened for a run that cannot be.
  const store = flags.store === undefined ? undefined : await openStore(flags.store);
  try {
    if (classic) {
      const scorer = await openClassic({ ...flags, ...classic }, device);
      return new Rows(scorer.scale, scorer, { withFacts, ...(store && { store }) });
    }
    const scorer = await openScorer({
      model: flags.model,
      device,
      ...decodingOf(flags),
      onNote: (note) => console.error(`note: ${note}`),
      ...(flags.tiles !== undefined && { tiles: flags.tiles }),
      // Left out, commander has no value for an option that has a negation.
      reasons: flags.reasons ?? true,
      // All that a store keeps, whatever this run shows of it.
      features: store !== undefined,
      sharpness: store !== undefined || withFacts,
    });
    const { trust, reference } = scorer.companions;
    const scale = { ...scorer.card, trust, reference: reference?.facts, tellsReasons: scorer.tellsReasons };
    return new Rows(scale, scorer, { withFacts, ...(store && { store }) });
  } catch (error) {
    store?.close();
    throw error;
  }
}

interface RowOptions {
  readonly withFacts: boolean;
  readonly store?: Store;
}

class Rows implements RowSource {
  readonly scale: ScoreScale;
  readonly #scorer: Awaited<ReturnType<typeof openClassic>> | Scorer;
  readonly #options: RowOptions;
  stored = 0;

  constructor(scale: ScoreScale, scorer: Awaited<ReturnType<typeof openClassic>> | Scorer, options: RowOptions) {
    this.scale = scale;
    this.#scorer = scorer;
    this.#options = options;
  }

  async score(pictures: readonly Asked[], take: (row: ScoreRow, place: number) => void): Promise<void> {
    const { withFacts, store } = this.#options;
    const [direct, kept] = [[] as number[], [] as number[]];
    for (const [place, { path, leftOut, piped }] of pictures.entries()) {
      if (leftOut !== undefined) take({ path, error: leftOut }, place);
      else if (store && !piped) kept.push(place);
      else direct.push(place);
    }
    const given = (place: number, result: ScoredPicture | ClassicScored, size?: number) => {
      const { path, piped } = pictures[place]!;
      const facts = withFacts && !piped && !("error" in result) ? factsOf(path, result as RowFacts, size) : {};
      take(rowOf(path, result, facts), place);
    };
    if (store) {
      const paths = kept.map((place) => pictures[place]!.path);
      const onResult = (result: StorePicture | StorePicture<StoredClassicScore>) => {
        if (result.stored) this.stored++;
        given(kept[result.index]!, result as never, result.size);
      };
      const scorer = this.#scorer;
      const walk =
        "card" in scorer
          ? scoreStored(store, scorer, paths, { onResult })
          : scoreStored(store, scorer, paths, { onResult });
      for await (const _ of walk);
    }
    if (direct.length === 0) return;
    const sources = direct.map((place) => (pictures[place]!.piped ? process.stdin : pictures[place]!.path));
    const onResult = (result: ScoredPicture | ClassicScored) => given(direct[result.index]!, result);
    const all =
      "card" in this.#scorer
        ? this.#scorer.scoreMany(sources, { onResult })
        : this.#scorer.scoreMany(sources, onResult);
    for await (const _ of all);
  }

  forget(paths: readonly string[]): void {
    this.#options.store?.forget(paths);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#scorer[Symbol.asyncDispose]();
    } finally {
      this.#options.store?.close();
    }
  }
}

import { expectNames } from "../../engine/arguments.ts";
import type { Device } from "../../engine/device/device.ts";
import { DeviceLostError, GpuError } from "../../engine/device/errors.ts";
import { decode, type Picture } from "../data/pictures/decode.ts";
import { DecoderBusyError } from "../data/pictures/decoding/errors.ts";
import { PictureError } from "../data/pictures/picture-error.ts";
import { Limit, prefetch, whenAborted } from "../data/prefetch.ts";
import type { Companions } from "../networks/companions.ts";
import { checked, headOf, meanOf } from "../networks/heads.ts";
import type { ModelCard } from "../networks/model.ts";
import { shownSide } from "../networks/options.ts";
import type { ReasonHead, ReasonTold } from "../reasons/head.ts";
import { openReasons } from "../reasons/head-file.ts";
import { isGood, reasonsOf } from "../reasons/reasons-of.ts";
import { trusted } from "../trust/companion.ts";
import type { Showing } from "../views/crops.ts";
import { conditionsOf, type ScorerConditions } from "./conditions.ts";
import { lenderOf } from "./device.ts";
import { explanationOf, type QualityMap, tilesOf } from "./explain.ts";
import { expectModelFile } from "./model-file.ts";
import { type Answered, Network } from "./network.ts";
import { atLeastOne, type ScorerOptions, type Settings, settingsOf } from "./options.ts";
import { pictureFailure, uploaded } from "./picture-failure.ts";
import type { PictureScore, ScoredPicture } from "./picture-score.ts";
import { contentOf, type OpenedPicture, openPicture, type PictureSource } from "./picture-source.ts";
import { SameScores } from "./same-scores.ts";
import { type Cut, featureOf, isSureOfClass, type Seen, scored } from "./seen.ts";
import { Supply } from "./supply.ts";

export type { PictureScore, ScoredPicture, ScorerOptions };

export interface ScoreOptions {
  /** Ends the call with the signal's reason; a picture that waits leaves the queue. */
  readonly signal?: AbortSignal;
  /** Stands for the picture in errors. @default its path, name or URL */
  readonly name?: string;
  /** Who asks, by any name: clients that ask at the same time get equal shares of decoders and network. @default one for all who do not say */
  readonly client?: string;
}

const manyNames = { signal: true, onResult: true } satisfies Record<keyof ScoreManyOptions, true>;
const scoreNames = { signal: true, name: true, client: true } satisfies Record<keyof ScoreOptions, true>;

export interface ScoreManyOptions<Source = PictureSource> extends Pick<ScoreOptions, "signal"> {
  /** Told of each picture as soon as it has its score or error, which may be before its turn; what it throws ends the walk. */
  readonly onResult?: (result: ScoredPicture<Source>) => void;
}

/** A scorer was used after it was closed. */
export class ScorerClosedError extends Error {
  override name = "ScorerClosedError";
}

/**
 * Opens a trained model, ready to score pictures from any number of callers at once.
 * @throws SafetensorsError when the file is no model of `acutance train` or is damaged; NoAdapterError; OutOfMemoryError when
 * not one picture fits; RangeError for an option that means nothing
 */
export async function openScorer(options: ScorerOptions = {}): Promise<Scorer> {
  const settings = settingsOf(options);
  const lender = lenderOf(options.device, options.adapter);
  await expectModelFile(settings.path);
  const reasons = settings.reasonsPath === undefined ? undefined : await openReasons(settings.reasonsPath);
  const load = async () =>
    Network.load(await lender.lease(), settings.path, { ...settings, onBatch: options.onBatch ?? (() => {}) });
  const network = await load();
  for (const note of network.notes) options.onNote?.(note);
  const supply = new Supply(network, {
    reload: lender.replaces ? load : undefined,
    onDeviceLost: options.onDeviceLost ?? (() => {}),
  });
  return new Scorer(settings, supply, reasons);
}

/** A model that scores pictures; made by {@link openScorer}. Calls that run at the same time share batches. */
export class Scorer {
  readonly #settings: Settings;
  readonly #supply: Supply;
  readonly #reasons: ReasonHead | undefined;
  readonly #decoders: Limit;
  readonly #same = new SameScores();
  readonly #pending = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  /** Use {@link openScorer}. */
  constructor(settings: Settings, supply: Supply, reasons?: ReasonHead) {
    this.#settings = settings;
    this.#reasons = reasons;
    this.#supply = supply;
    this.#decoders = new Limit(settings.decoders);
  }

  /** What the weights file says about the model. */
  get card(): ModelCard {
    return this.#supply.network.card;
  }

  /** What the weights file has beside the model. */
  get companions(): Companions {
    return this.#supply.network.companions;
  }

  /** Name of the model in results. */
  get name(): string {
    return this.#settings.name;
  }

  /** What a result depends on besides the picture: files by their paths, and options. */
  get conditions(): ScorerConditions {
    return conditionsOf(this.#settings, this.showing);
  }

  /** How pictures are shown to the network: as in the model's test, but for the scorer's own tiles. */
  get showing(): Showing {
    const { crop, cropFrom, testCrops, testTiles, seed } = this.card.options;
    const resize = shownSide(this.card.options);
    const { tiles } = this.#settings;
    const parts = tiles === undefined ? { testCrops, testTiles } : { testCrops: 1, testTiles: tiles };
    return { resize, crop, cropFrom, ...parts, seed };
  }

  /** The device in use; another one after a loss. */
  get device(): Device {
    return this.#supply.network.device;
  }

  /** The most pictures in one batch. */
  get batch(): number {
    return this.#supply.network.batch;
  }

  /** Pictures that a caller who wants full batches should give at a time: two batches at the adapter, one that gathers. */
  get ahead(): number {
    return 3 * this.batch + this.#settings.decoders;
  }

  /** Pictures that were given and have no result yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Numbers in the pooled feature of a picture. */
  get featureLength(): number {
    return this.#supply.network.model.featureLength;
  }

  /** Whether results say what most likely lowers a score. */
  get tellsReasons(): boolean {
    return this.#reasons !== undefined;
  }

  /** False while there is no device to score on, and once closed. */
  get ready(): boolean {
    return !this.#closed && this.#supply.ready;
  }

  /**
   * Scores one picture. Its score does not depend on others that are scored at the same time.
   *
   * When the device is lost, the model is loaded on a new one and the picture is repeated, as long as other pictures get their
   * scores between losses and at most twice.
   * @throws PictureError when it cannot be read or decoded, and where the network makes no finite numbers of it; TypeError when it is no picture; the signal's reason;
   * DeviceLostError when the device was the host's own, too many were lost, or no new one can be opened; ScorerClosedError
   */
  async score(picture: PictureSource, options: ScoreOptions = {}): Promise<PictureScore> {
    expectNames("score", options, scoreNames);
    const start = performance.now();
    const { range } = this.card;
    const head = headOf(this.card.options);
    const { trust } = this.companions;
    const wanted = { reasons: this.tellsReasons, sharpness: this.#settings.sharpness === true };
    const { kept, answered } = await this.#see(picture, scored(wanted), options);
    const answer = meanOf(answered.map((one) => one.answer));
    const feature = featureOf(answered);
    const { look, shown, ...size } = kept;
    const score = head.score(answer, range);
    if (!isSureOfClass(score) && this.#same.notices(score.score, look)) {
      this.#settings.onNote?.(
        `${this.name} gives unlike pictures the same score, ${score.score}: its weights may be damaged, or its training went wrong`,
      );
    }
    return {
      ...score,
      ...(trust && trusted(trust, { score: score.score, feature }, range)),
      range,
      ...(head.shareBelow && { histogram: [...answer] }),
      ...(this.#settings.features && feature && { feature }),
      ...(shown && { reasons: this.#reasonsFor(shown, score.score) }),
      ...size,
      model: this.name,
      milliseconds: performance.now() - start,
    };
  }

  /**
   * Scores pictures in their order, some batches ahead of the one that is handed out and no further. A picture that cannot be
   * scored comes with its error and stops nothing. Ending the walk early gives up those that were begun.
   * @throws what is no picture's fault, as {@link score} does
   */
  async *scoreMany<Source extends PictureSource>(
    pictures: Iterable<Source> | AsyncIterable<Source>,
    options: ScoreManyOptions<Source> = {},
  ): AsyncGenerator<ScoredPicture<Source>, void, undefined> {
    expectNames("scoreMany", options, manyNames);
    const { signal, onResult } = options;
    const { ahead } = this;
    let begun = 0;
    const score = async (picture: Source, wanted: AbortSignal): Promise<ScoredPicture<Source>> => {
      const own = { picture, index: begun++ };
      const result = await this.score(picture, { signal: wanted }).then(
        (scored) => ({ ...own, ...scored }),
        (error: unknown) => {
          if (!wanted.aborted && this.#isOfOne(error)) return { ...own, error };
          throw error;
        },
      );
      onResult?.(result);
      return result;
    };
    for await (const result of prefetch(pictures, score, { ahead, concurrency: ahead, ...(signal && { signal }) })) {
      if (!result.ok) throw result.error;
      yield result.value;
    }
  }

  /**
   * Which parts of a picture look better than others: its tiles of the network's input size at original resolution, half
   * overlapping, each scored like a picture of its own in shared batches. At most `tiles` of them (32 by default); in a larger
   * picture they lie further apart. The model was trained on whole pictures, so compare tiles with each other, not with
   * scores of pictures. A picture smaller than a tile is enlarged to one.
   * @throws as {@link score}; RangeError when tiles is not a whole number of at least 1
   */
  async explain(picture: PictureSource, options: ScoreOptions & { readonly tiles?: number } = {}): Promise<QualityMap> {
    expectNames("explain", options, { ...scoreNames, tiles: true });
    const most = atLeastOne("tiles", options.tiles ?? 32);
    const { crop } = this.card.options;
    const tiled: Cut<Picture> = async (_, whole) => ({ views: tilesOf(whole, crop, most), kept: whole });
    const { kept, answered } = await this.#see(picture, tiled, options);
    const answers = answered.map(({ answer }) => answer);
    return explanationOf(kept, answers, { crop, most, range: this.card.range, head: headOf(this.card.options) });
  }

  /** Opens a new device now when the present one is lost, instead of with the next picture. @throws as opening does */
  async recover(): Promise<void> {
    await this.#supply.usable();
  }

  /**
   * Waits for the pictures that were given, takes no more, and ends the model, and its device unless others use it or it is the host's own.
   * Closing again waits for the same.
   */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #reasonsFor(shown: Picture, score: number): ReasonTold[] {
    const head = this.#reasons!;
    return isGood(head, score, this.card.range) ? [] : reasonsOf(head, shown);
  }

  /** Takes a picture to the answers to its views, again on another device where one is lost. */
  async #see<Kept>(source: PictureSource, cut: Cut<Kept>, options: ScoreOptions): Promise<Seen<Kept>> {
    const { signal, name } = options;
    if (this.#closed) throw new ScorerClosedError(`the scorer of ${this.#settings.path} is closed; open another`);
    signal?.throwIfAborted();
    const { maxBytes } = this.#settings;
    const work = async () => {
      const opened = await openPicture(source, {
        maxBytes,
        ...(signal && { signal }),
        ...(name !== undefined && { name }),
      });
      const isFinal = (error: unknown) => error instanceof PictureError || signal?.aborted === true;
      return this.#supply.run((network) => this.#once(network, opened, cut, options), isFinal);
    };
    const aborted = signal && whenAborted(signal);
    const seeing = work();
    this.#pending.add(seeing);
    try {
      return await (aborted ? Promise.race([seeing, aborted.promise]) : seeing);
    } finally {
      aborted?.release();
      // A decoder that was abandoned still has to end before the scorer does.
      const ended = () => this.#pending.delete(seeing);
      if (signal?.aborted) seeing.then(ended, ended);
      else ended();
    }
  }

  async #once<Kept>(
    network: Network,
    opened: OpenedPicture,
    cut: Cut<Kept>,
    options: ScoreOptions,
  ): Promise<Seen<Kept>> {
    const { signal } = options;
    const arrived = network.announce();
    try {
      const { kept, seen } = await this.#decoded(opened, options, async (picture) => {
        const { views, kept } = await cut(this.showing, picture).catch((error: unknown) => {
          throw pictureFailure(opened.name, error);
        });
        await network.prepared;
        const seen: Promise<Answered[]>[] = [];
        // No more of a picture is on the device than makes a batch.
        for (let i = 0; i < views.length; i += network.batch) {
          await network.place();
          signal?.throwIfAborted();
          const shown = uploaded(network, views.slice(i, i + network.batch), picture, opened.name);
          const some = network.score(shown, options);
          some.catch(() => {}); // awaited below, once the decoder is free for the next
          seen.push(some);
        }
        return { kept, seen };
      });
      arrived();
      const answered = (await Promise.all(seen)).flat();
      for (const { answer } of answered) checked(network.model.head, answer, opened.name);
      return { kept, answered };
    } finally {
      arrived();
    }
  }

  /** Whether an error is about one picture, or a few of one batch, and says nothing of those that follow. */
  #isOfOne(error: unknown): error is Error {
    if (error instanceof PictureError || error instanceof TypeError || error instanceof DecoderBusyError) return true;
    return error instanceof GpuError && !(error instanceof DeviceLostError) && !this.#supply.network.broken;
  }

  /** Decodes a picture and hands it over; the decoder takes the next one when `use` is done. */
  async #decoded<T>(
    opened: OpenedPicture,
    { signal, client }: ScoreOptions,
    use: (picture: Picture) => Promise<T>,
  ): Promise<T> {
    const { maxPixels, background, strictness, decoderPool } = this.#settings;
    const options = { name: opened.name, maxPixels, background, strictness };
    const own = (error: unknown) => {
      throw signal?.aborted ? error : pictureFailure(opened.name, error);
    };
    if (decoderPool && (opened.content instanceof Uint8Array || opened.content instanceof Blob)) {
      const bytes = (await contentOf(opened)) as Uint8Array;
      const asked = { ...(signal && { signal }), ...(client !== undefined && { client }) };
      // What `use` throws is not the picture's, and comes through as it is.
      let failed: { readonly error: unknown } | undefined;
      const using = (picture: Picture) =>
        use(picture).catch((error: unknown) => {
          failed = { error };
          throw error;
        });
      return decoderPool.decode(bytes, options, using, asked).catch((error) => {
        if (failed) throw error;
        return own(error);
      });
    }
    return this.#decoders.run(async () => {
      signal?.throwIfAborted();
      return use(await decode(await contentOf(opened), options).catch(own));
    });
  }

  async #end(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    await this.#supply.close();
  }
}

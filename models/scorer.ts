import type { Device } from "../engine/device/device.ts";
import { DeviceLostError } from "../engine/device/errors.ts";
import type { DeviceSource } from "../engine/device/source.ts";
import { type CplModel, type ModelCard, openModel } from "./cpl/model.ts";
import { fittingBatch, predict, type Score, scoreOf } from "./cpl/predict.ts";
import { PictureStore } from "./data/index.ts";

/** The score of one picture, or why it has none. */
export type ScoredPicture = ({ readonly path: string } & Score) | { readonly path: string; readonly error: Error };

/** A trained model, ready to score picture files. */
export class Scorer {
  readonly card: ModelCard;
  readonly #path: string;
  readonly #source: DeviceSource;
  #model: CplModel;
  /** A replacement on its way, shared by all walks that lost the same device. */
  #replacing: Promise<void> | undefined;
  #disposed = false;

  private constructor(source: DeviceSource, path: string, model: CplModel, card: ModelCard) {
    this.#source = source;
    this.#path = path;
    this.#model = model;
    this.card = card;
  }

  /**
   * @param source a device, or how to open one, such as `openDevice`: then the scorer replaces a device that was lost,
   * and closes its own when it is disposed of
   * @throws SafetensorsError when the file is no model of `acutance train` or is damaged
   */
  static async open(source: DeviceSource, path: string): Promise<Scorer> {
    const { model, card } = await openOn(source, path);
    return new Scorer(source, path, model, card);
  }

  /** The device in use; another one after a loss. */
  get device(): Device {
    return this.#model.device;
  }

  /**
   * Scores files in their order, decoding ahead. Scores are on `card.range`, higher is better, and do not depend on the
   * other pictures. A picture that cannot be decoded comes with its error and stops nothing. When the device is lost, the
   * model is loaded on a new one and the batch in hand is repeated: every picture comes once.
   * @throws DeviceLostError when no new device can be opened because the lost one was given open, or when no picture was
   * scored between two losses
   */
  async *scoreMany(paths: Iterable<string>): AsyncGenerator<ScoredPicture, void, undefined> {
    const list = Array.from(paths);
    let done = 0;
    let scored = 0;
    let scoredAtLoss = -1;
    for (;;) {
      const model = this.#model;
      try {
        for await (const picture of this.#walk(model, list.slice(done))) {
          done++;
          if (!("error" in picture)) scored++;
          yield picture;
        }
        return;
      } catch (error) {
        const isLoss = error instanceof DeviceLostError && typeof this.#source === "function";
        if (!isLoss || scored === scoredAtLoss) throw error;
        scoredAtLoss = scored;
        await this.#replace(model);
      }
    }
  }

  /** Ends the model, and the device when the scorer opened it. */
  dispose(): void {
    this.#disposed = true;
    this.#model.dispose();
    if (typeof this.#source === "function") this.device.close();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async *#walk(model: CplModel, paths: readonly string[]): AsyncGenerator<ScoredPicture, void, undefined> {
    const { options, range } = this.card;
    const store = new PictureStore(model.device, options.resize, fittingBatch(model), 0);
    try {
      const rows = paths.map((path) => ({ path }));
      for await (const outcome of predict(model, rows, store, options)) {
        const { path } = outcome.row;
        if ("error" in outcome) {
          yield { path, error: outcome.error instanceof Error ? outcome.error : new Error(String(outcome.error)) };
        } else {
          yield { path, ...scoreOf(outcome.value, range) };
        }
      }
    } finally {
      store.dispose();
    }
  }

  /** Loads the model on a new device, once for all walks that ran on `lost`. */
  async #replace(lost: CplModel): Promise<void> {
    if (this.#model !== lost) return;
    this.#replacing ??= this.#load(lost).finally(() => {
      this.#replacing = undefined;
    });
    await this.#replacing;
  }

  async #load(lost: CplModel): Promise<void> {
    const { model, card } = await openOn(this.#source, this.#path);
    if (this.#disposed || JSON.stringify(card) !== JSON.stringify(this.card)) {
      model.device.close();
      throw new Error(
        `${this.#path} ${this.#disposed ? "was closed while it was" : "has changed since it was opened and cannot be"} loaded on a new device`,
      );
    }
    lost.device.close();
    this.#model = model;
  }
}

/** Opens a model; a device that was opened for it is closed when that fails. */
async function openOn(source: DeviceSource, path: string): Promise<{ model: CplModel; card: ModelCard }> {
  if (typeof source !== "function") return openModel(source, path);
  const device = await source();
  try {
    return await openModel(device, path);
  } catch (error) {
    device.close();
    throw error;
  }
}

import type { Device } from "../engine/device/device.ts";
import { type CplModel, type ModelCard, openModel } from "./cpl/model.ts";
import { fittingBatch, predict, type Score, scoreOf } from "./cpl/predict.ts";
import { PictureStore } from "./data/index.ts";

/** The score of one picture, or why it has none. */
export type ScoredPicture = ({ readonly path: string } & Score) | { readonly path: string; readonly error: Error };

/** A trained model, ready to score picture files. */
export class Scorer {
  readonly card: ModelCard;
  readonly #model: CplModel;
  readonly #device: Device;

  private constructor(device: Device, model: CplModel, card: ModelCard) {
    this.#device = device;
    this.#model = model;
    this.card = card;
  }

  /** @throws SafetensorsError when the file is no model of `acutance train` or is damaged */
  static async open(device: Device, path: string): Promise<Scorer> {
    const { model, card } = await openModel(device, path);
    return new Scorer(device, model, card);
  }

  /**
   * Scores files in their order, decoding ahead. Scores are on `card.range`, higher is better, and do not depend on the
   * other pictures. A picture that cannot be decoded comes with its error and stops nothing.
   */
  async *scoreMany(paths: Iterable<string>): AsyncGenerator<ScoredPicture, void, undefined> {
    const store = new PictureStore(this.#device, this.card.options.resize, fittingBatch(this.#model), 0);
    try {
      const rows = Array.from(paths, (path) => ({ path }));
      for await (const outcome of predict(this.#model, rows, store, this.card.options)) {
        const { path } = outcome.row;
        if ("error" in outcome) {
          yield { path, error: outcome.error instanceof Error ? outcome.error : new Error(String(outcome.error)) };
        } else {
          yield { path, ...scoreOf(outcome.value, this.card.range) };
        }
      }
    } finally {
      store.dispose();
    }
  }

  dispose(): void {
    this.#model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

import { type CropWindow, centerCrop, cropAndFlip, stack } from "../../engine/ops/pictures/image.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { type Decoding, type Loaded, PictureStore } from "../data/index.ts";
import type { PrefetchOptions } from "../data/prefetch.ts";
import type { NetworkWork } from "../networks/forward.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import { type StrongSet, strongViews } from "./strong.ts";

/** A picture that is wanted; without a window in evaluation, which sees the centre. What a window says, the inputs define. */
export interface Wanted {
  readonly path: string;
  readonly window?: CropWindow;
  /** Of a strong view: its seed or, where views are kept, its number among them. */
  readonly strong?: number | undefined;
}

/** A loaded picture, with the window it was wanted for. */
export interface InputItem {
  readonly tensor: Tensor;
  readonly window?: CropWindow | undefined;
  /** Seed of the tokens that are taken; all of them without it. */
  readonly tokens?: number | undefined;
  /** As of {@link Wanted}. */
  readonly strong?: number | undefined;
}

/** Pictures of a run. */
export interface WantedPictures {
  /** Trained on, in all views. */
  readonly trained: readonly Wanted[];
  /** Those of them whose strong views are wanted too. */
  readonly strong: readonly Wanted[];
  /** Of which only the centre is wanted. */
  readonly others: readonly Wanted[];
}

/** What inputs need to know beside the model. */
export interface InputOptions {
  /** Which pictures are refused. */
  readonly decoding?: Decoding;
  /** How strong views are made, and how many of a picture are kept where views are kept. */
  readonly strong?: { readonly set: StrongSet; readonly kept: number };
}

export interface PrepareHooks {
  readonly signal?: AbortSignal | undefined;
  /** Called when there is work, with the number of views. */
  readonly progress: (views: number) => { advance(views: number): void };
}

/** Where the batches of training and evaluation come from: pictures, or what frozen sections of the network made of them. */
export interface Inputs {
  /** Which pictures are refused. */
  readonly decoding: Decoding;
  /** Of what {@link load} gives for a picture. */
  readonly shape: Shape;
  /** The most loaded pictures that are kept on the device. */
  capacity: number;
  /** Loaded pictures that are kept now. */
  readonly size: number;
  /** Walks pictures in order; what it gives belongs to the inputs. */
  load<Row extends Wanted>(
    rows: Iterable<Row>,
    options?: PrefetchOptions,
  ): AsyncGenerator<Loaded<Row>, void, undefined>;
  /** Loaded pictures as one batch, cut to their windows or, where they have none, to the centre. */
  assemble(items: readonly InputItem[]): Tensor;
  /**
   * Does what can be done once for all steps.
   * @throws the signal's reason when it aborts; what is done by then stays
   */
  prepare(pictures: WantedPictures, hooks: PrepareHooks): Promise<void>;
  /** A batch through the model, from where the inputs stand. */
  forward(batch: Tensor, training: boolean): Outputs;
  dispose(): void;
}

/** Inputs in evaluation mode through a model. @param output what is wanted of the outputs */
export function inputPass(inputs: Inputs, output: (outputs: Outputs) => Tensor): NetworkWork<InputItem> {
  return {
    assemble: (items) => inputs.assemble(items),
    run: (input) => output(inputs.forward(input, false)),
  };
}

/** Pictures, resized to a square from which windows are cut. */
export class PictureInputs extends PictureStore implements Inputs {
  readonly shape: Shape;
  readonly decoding: Decoding;
  readonly #model: QualityNetwork;
  readonly #strong: StrongSet | undefined;

  /** @param inUse, cacheBytes as of {@link PictureStore} */
  constructor(model: QualityNetwork, inUse: number, cacheBytes?: number, { decoding = {}, strong }: InputOptions = {}) {
    const { resize } = model.options;
    super(model.device, resize, inUse, cacheBytes, decoding);
    this.decoding = decoding;
    this.shape = [1, resize, resize, 3];
    this.#model = model;
    this.#strong = strong?.set;
  }

  assemble(items: readonly InputItem[]): Tensor {
    const { crop } = this.#model.options;
    return withStrong(cut(items, crop), items, this.#strong);
  }

  async prepare(): Promise<void> {}

  forward(batch: Tensor, training: boolean): Outputs {
    return this.#model.forward(batch, training);
  }
}

/** Windows of resized pictures as one batch [N, crop, crop, 3]. */
export function cut(items: readonly InputItem[], crop: number): Tensor {
  const whole = stack(items.map(({ tensor }) => tensor));
  const windows = items.flatMap(({ window }) => window ?? []);
  return windows.length === 0 ? centerCrop(whole, crop, crop) : cropAndFlip(whole, windows, crop, crop);
}

/** A batch of weak views [N, crop, crop, 3], in which the rows of strong ones are written anew from their pictures. */
export function withStrong(batch: Tensor, items: readonly InputItem[], set: StrongSet | undefined): Tensor {
  const rows = items.flatMap(({ tensor, strong }, row) =>
    strong === undefined ? [] : [{ tensor, row, seed: strong }],
  );
  if (rows.length === 0) return batch;
  if (!set) throw new Error("strong views are wanted, and nothing says how they are made");
  const pictures = stack(rows.map(({ tensor }) => tensor));
  const views = strongViews(pictures, { set, crop: batch.shape[1]!, seeds: rows.map(({ seed }) => seed) });
  const bytes = views.sizeBytes / rows.length;
  const { stream } = batch.device;
  rows.forEach(({ row }, i) => {
    stream.copy(views.allocation, i * bytes, batch.allocation, row * bytes, bytes);
  });
  return batch;
}

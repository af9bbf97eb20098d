import { slice } from "../../engine/ops/join.ts";
import { arrange } from "../../engine/ops/pictures/arrange.ts";
import { type CropWindow, centerCrop, cropAndFlip, stack } from "../../engine/ops/pictures/image.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { type Decoding, decode, type Loaded, TensorStore, upload } from "../data/index.ts";
import type { PrefetchOptions } from "../data/prefetch.ts";
import type { NetworkWork } from "../networks/forward.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import { shownSide } from "../networks/options.ts";
import type { View } from "./crops.ts";
import { CtAugment } from "./ctaugment.ts";
import { type StrongSet, strongViews, type strongWords } from "./strong.ts";

/** A picture that is wanted; without a window in evaluation, which sees the centre. What a window says, the inputs define. */
export interface Wanted {
  readonly path: string;
  readonly window?: CropWindow;
  /** Of a strong view: its seed or, where views are kept, its number among them. */
  readonly strong?: number | undefined;
  /** Quarters of a turn after the window. */
  readonly quarters?: number | undefined;
  /** Of a version or degraded view: its place among those of the picture that `strong` gives. */
  readonly version?: number | undefined;
}

/** A loaded picture, with the window it was wanted for. */
export interface InputItem {
  readonly tensor: Tensor;
  readonly window?: CropWindow | undefined;
  /** Seed of the tokens that are taken; all of them without it. */
  readonly tokens?: number | undefined;
  /** As of {@link Wanted}. */
  readonly strong?: number | undefined;
  readonly quarters?: number | undefined;
}

/** Pictures of a run. */
export interface WantedPictures {
  /** Trained on, in all views. */
  readonly trained: readonly Wanted[];
  /** Those of them whose strong views are wanted too. */
  readonly strong: readonly Wanted[];
  /** Those of them that are wanted turned by every quarter, too. */
  readonly turned?: readonly Wanted[];
  /** Of which only the centre is wanted. */
  readonly others: readonly Wanted[];
}

/** What inputs need to know beside the model. */
export interface InputOptions {
  /** Which pictures are refused. */
  readonly decoding?: Decoding;
  /** How strong views are made, and how many of a picture are kept where views are kept. */
  readonly strong?: { readonly set: StrongSet; readonly kept: number };
  /** What makes strong views in the place of `strong`. */
  readonly ctAugment?: CtAugment;
  /** Whether turns are a task, so that strong views are not turned. @default false */
  readonly turned?: boolean;
}

/** How inputs make the strong views that options ask for. @param word of the option `strong` @param kept where views are kept */
export function strongInputs(
  word: (typeof strongWords)[number] | undefined,
  kept = 0,
): Pick<InputOptions, "strong" | "ctAugment"> {
  if (word === "ctaugment") return { ctAugment: new CtAugment() };
  return word ? { strong: { set: word, kept } } : {};
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
  /** What makes strong views, where they learn. */
  readonly ctAugment?: CtAugment | undefined;
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
  /** A batch through the model, from where the inputs stand. @param model another than theirs, with the same frozen sections */
  forward(batch: Tensor, training: boolean, model?: QualityNetwork): Outputs;
  dispose(): void;
}

/** Inputs in evaluation mode through a model. @param output what is wanted of the outputs */
export function inputPass(inputs: Inputs, output: (outputs: Outputs) => Tensor): NetworkWork<InputItem> {
  return {
    assemble: (items) => inputs.assemble(items),
    run: (input) => output(inputs.forward(input, false)),
  };
}

/** Pictures, resized to a square from which windows are cut; in evaluation to that of the option `testResize`. */
export class PictureInputs extends TensorStore<Wanted, Required<View>> implements Inputs {
  readonly shape: Shape;
  readonly decoding: Decoding;
  readonly ctAugment: CtAugment | undefined;
  readonly #model: QualityNetwork;
  readonly #options: InputOptions;

  /** @param inUse, cacheBytes as of {@link TensorStore}; a picture takes 12 bytes a pixel */
  constructor(model: QualityNetwork, inUse: number, cacheBytes?: number, options: InputOptions = {}) {
    const { resize } = model.options;
    const { decoding = {} } = options;
    const tested = shownSide(model.options);
    const sideOf = ({ window }: Wanted) => (window ? resize : tested);
    const largest = Math.max(resize, tested);
    const source = {
      key: (wanted: Wanted) => `${sideOf(wanted)} ${wanted.path}`,
      read: async (wanted: Wanted) => ({ picture: await decode(wanted.path, decoding), side: sideOf(wanted) }),
      upload: ({ picture, side }: Required<View>) => upload(model.device, picture, side),
      tensorBytes: largest * largest * 12,
    };
    super(model.device, source, inUse, cacheBytes);
    this.decoding = decoding;
    this.ctAugment = options.ctAugment;
    this.shape = [1, largest, largest, 3];
    this.#model = model;
    this.#options = options;
  }

  assemble(items: readonly InputItem[]): Tensor {
    const { crop } = this.#model.options;
    return changedViews(cut(items, crop), items, this.#options);
  }

  async prepare(): Promise<void> {}

  forward(batch: Tensor, training: boolean, model = this.#model): Outputs {
    return model.forward(batch, training);
  }
}

/** Windows of resized pictures as one batch [N, crop, crop, 3]. */
export function cut(items: readonly InputItem[], crop: number): Tensor {
  const whole = stack(items.map(({ tensor }) => tensor));
  const windows = items.flatMap(({ window }) => window ?? []);
  return windows.length === 0 ? centerCrop(whole, crop, crop) : cropAndFlip(whole, windows, crop, crop);
}

/**
 * A batch of weak views [N, crop, crop, 3], in which the rows of strong ones are written anew from their pictures, and others turned by
 * the quarters that they are wanted with.
 */
export function changedViews(batch: Tensor, items: readonly InputItem[], options: InputOptions): Tensor {
  const rows = items.map(({ tensor, strong, quarters = 0 }, row) => ({ tensor, row, strong, quarters }));
  const strong = rows.flatMap((row) => (row.strong === undefined ? [] : [{ ...row, seed: row.strong }]));
  if (strong.length > 0) write(batch, strong, stronglyChanged(strong, batch.shape[1]!, options));
  const turned = rows.filter(({ quarters }) => quarters > 0);
  if (turned.length > 0) write(batch, turned, turnedRows(batch, turned));
  return batch;
}

function stronglyChanged(
  rows: readonly { readonly tensor: Tensor; readonly seed: number }[],
  crop: number,
  { strong, turned, ctAugment }: InputOptions,
): Tensor {
  const pictures = stack(rows.map(({ tensor }) => tensor));
  const seeds = rows.map(({ seed }) => seed);
  if (ctAugment) return ctAugment.views(pictures, { crop, seeds });
  if (!strong) throw new Error("strong views are wanted, and nothing says how they are made");
  const { set } = strong;
  return strongViews(pictures, {
    ...{ set, crop, seeds },
    ...(turned && set === "quality" && { leaveOut: ["rotation" as const] }),
  });
}

/** Rows of a batch by whole quarters: pixels change places, and keep their bits. */
function turnedRows(batch: Tensor, rows: readonly { readonly row: number; readonly quarters: number }[]): Tensor {
  const side = batch.shape[1]!;
  const part = { top: 0, left: 0, height: side, width: side };
  const whole = stack(rows.map(({ row }) => slice(batch, [row, 0, 0, 0], [row + 1, side, side, 3])));
  const turns = rows.map(({ quarters }) => ({ part, quarters }));
  return arrange(whole, turns, side);
}

function write(batch: Tensor, rows: readonly { readonly row: number }[], views: Tensor): void {
  const bytes = views.sizeBytes / rows.length;
  const { stream } = batch.device;
  rows.forEach(({ row }, i) => {
    stream.copy(views.allocation, i * bytes, batch.allocation, row * bytes, bytes);
  });
}

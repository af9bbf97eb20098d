import { cropAndFlip, stack } from "../../engine/ops/pictures/image.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { type Decoding, decode, TensorStore } from "../data/index.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import { cutCrops, placeAt, uploadView, type View } from "./crops.ts";
import type { CtAugment } from "./ctaugment.ts";
import { changedViews, type InputItem, type InputOptions, type Inputs, PictureInputs, type Wanted } from "./inputs.ts";

/**
 * Crops of pictures at their own size; a picture that is smaller than one is enlarged to it. A window's top and left are shares,
 * 0 to 1, of what a crop leaves of the height and width; without a window it is the centre. A picture is decoded for every crop
 * of it, and no more of it than the crop is kept.
 */
export class CropInputs extends TensorStore<Wanted, View> implements Inputs {
  readonly shape: Shape;
  readonly decoding: Decoding;
  readonly ctAugment: CtAugment | undefined;
  readonly #model: QualityNetwork;
  readonly #options: InputOptions;

  /** @param inUse crops that the caller holds at a time; no more are kept, as hardly one comes twice */
  constructor(model: QualityNetwork, inUse: number, options: InputOptions = {}) {
    const { device } = model;
    const { crop } = model.options;
    const { decoding = {} } = options;
    const source = {
      key: ({ path, window }: Wanted) => (window ? `${path} ${window.top} ${window.left}` : path),
      read: async ({ path, window = { top: 0.5, left: 0.5 } }: Wanted) =>
        cutCrops(await decode(path, decoding), crop, (size) => [placeAt(size, crop, window)])[0]!,
      upload: (view: View) => uploadView(device, view, crop),
      tensorBytes: crop * crop * 12,
    };
    super(device, source, inUse, 0);
    this.shape = [1, crop, crop, 3];
    this.decoding = decoding;
    this.ctAugment = options.ctAugment;
    this.#model = model;
    this.#options = options;
  }

  assemble(items: readonly InputItem[]): Tensor {
    const { crop } = this.#model.options;
    const crops = stack(items.map(({ tensor }) => tensor));
    const flips = items.flatMap(({ window }) => (window ? [{ top: 0, left: 0, flip: window.flip === true }] : []));
    return flips.length === 0 ? crops : changedViews(cropAndFlip(crops, flips, crop, crop), items, this.#options);
  }

  async prepare(): Promise<void> {}

  forward(batch: Tensor, training: boolean, model = this.#model): Outputs {
    return model.forward(batch, training);
  }
}

/** Pictures as the option `cropFrom` has them. @param cacheBytes device memory for resized ones beyond those in use */
export function pictureInputs(
  model: QualityNetwork,
  inUse: number,
  cacheBytes?: number,
  options: InputOptions = {},
): Inputs {
  if (model.options.cropFrom === "original") return new CropInputs(model, inUse, options);
  return new PictureInputs(model, inUse, cacheBytes, options);
}

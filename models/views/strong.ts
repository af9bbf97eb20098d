import {
  type Checks,
  expectArgument,
  expectList,
  expectOptions,
  extent,
  oneOf,
  shown,
  whole,
} from "../../engine/arguments.ts";
import { batchShape } from "../../engine/ops/batch.ts";
import { arrange, arrangePacked } from "../../engine/ops/pictures/arrange.ts";
import { changeLevels } from "../../engine/ops/pictures/levels.ts";
import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import { type QualityIngredient, qualityIngredients, qualityView } from "./quality-views.ts";
import { randAugmentView } from "./randaugment.ts";

/** Kinds of strong views: {@link qualityView} leaves what is judged alone, {@link randAugmentView} is the usual one for classes. */
export const strongSets = ["quality", "randaugment"] as const;

export type StrongSet = (typeof strongSets)[number];

/** Words of the option `strong`: those, and views that learn how much the network bears, see `CtAugment`. */
export const strongWords = [...strongSets, "ctaugment"] as const;

export interface ViewOptions {
  /** Side of the views in pixels, at most that of the pictures. */
  readonly crop: number;
  /** One for each picture, 0 ≤ seed < 2^53. */
  readonly seeds: readonly number[];
}

export interface StrongOptions extends ViewOptions {
  readonly set: StrongSet;
  /** Ingredients of the set "quality" that are not used, say "rotation" where rotations are a task. */
  readonly leaveOut?: readonly QualityIngredient[];
}

const ingredients = {
  allowed: `a list of ${qualityIngredients.join(", ")}`,
  fits: (value: unknown) => Array.isArray(value) && value.every((each) => qualityIngredients.includes(each)),
  error: TypeError,
};
const list = { allowed: "a list", fits: (value: unknown) => Array.isArray(value), error: TypeError };

const strongChecks: Checks<StrongOptions> = {
  set: oneOf(...strongSets),
  crop: extent,
  seeds: list,
  leaveOut: ingredients,
};

/**
 * Strong views of pictures for semi-supervised training. pictures: [N, R, R, 3] f32 in [0, 1], sRGB → [N, crop, crop, 3] in [0, 1]. A
 * view depends on its picture and its seed alone, and has the same bits on every adapter. Not differentiable.
 * @throws ShapeError for other tensors, a crop above R, and other than N seeds; RangeError or TypeError for other options
 */
export function strongViews(pictures: Tensor, options: StrongOptions): Tensor {
  expectOptions("strongViews", options, strongChecks);
  const { set, crop, seeds, leaveOut } = options;
  const size = expectViews("strongViews", pictures, options);
  if (set === "randaugment") {
    if (leaveOut && leaveOut.length > 0)
      throw new TypeError(`strongViews: leaveOut is for the set "quality", got ${shown(leaveOut)} for "randaugment"`);
    const views = seeds.map((seed) => randAugmentView(size, crop, seed));
    const arrangements = views.map(({ arrangement }) => arrangement);
    const changes = views.map(({ operations }) => operations);
    return pictures.device.scope(() => changeLevels(arrangePacked(pictures, arrangements, crop), changes));
  }
  const leftOut = new Set(leaveOut);
  const views = seeds.map((seed) => qualityView(size, crop, seed, leftOut));
  return arrange(pictures, views, crop);
}

/**
 * The side of square pictures [N, R, R, 3] of which views are made, one a seed.
 * @throws ShapeError when they are not square, smaller than the crop, or not as many as the seeds
 */
export function expectViews(operation: string, pictures: Tensor, { crop, seeds }: ViewOptions): number {
  const [images, height, width] = batchShape(operation, pictures);
  if (height !== width)
    throw new ShapeError(`${operation} takes square pictures [N, R, R, 3], found [${pictures.shape}]`);
  expectArgument(operation, "crop", crop, extent);
  if (crop > height) throw new ShapeError(`${operation}: a crop of ${crop} from pictures of ${height} pixels`);
  expectList(operation, "seeds", seeds, whole(0));
  if (seeds.length !== images) throw new ShapeError(`${operation}: ${seeds.length} seeds for ${images} pictures`);
  return height;
}

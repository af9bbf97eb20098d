import { type Checks, expectList, expectOptions, extent, oneOf, shown, whole } from "../../engine/arguments.ts";
import { batchShape } from "../../engine/ops/batch.ts";
import { arrange, arrangePacked } from "../../engine/ops/pictures/arrange.ts";
import { changeLevels } from "../../engine/ops/pictures/levels.ts";
import { ShapeError, type Tensor } from "../../engine/tensor.ts";
import { type QualityIngredient, qualityIngredients, qualityView } from "./quality-views.ts";
import { randAugmentView } from "./randaugment.ts";

/** Kinds of strong views: {@link qualityView} leaves what is judged alone, {@link randAugmentView} is the usual one for classes. */
export const strongSets = ["quality", "randaugment"] as const;

export type StrongSet = (typeof strongSets)[number];

export interface StrongOptions {
  readonly set: StrongSet;
  /** Side of the views in pixels, at most that of the pictures. */
  readonly crop: number;
  /** One for each picture, 0 ≤ seed < 2^53. A view depends on its picture and its seed alone. */
  readonly seeds: readonly number[];
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
 * Strong views of pictures for semi-supervised training. pictures: [N, R, R, 3] f32 in [0, 1], sRGB → [N, crop, crop, 3] in [0, 1]. The
 * same seeds give the same bits of views on every adapter. Not differentiable.
 * @throws ShapeError for other tensors, a crop above R, and other than N seeds; RangeError or TypeError for other options
 */
export function strongViews(pictures: Tensor, options: StrongOptions): Tensor {
  expectOptions("strongViews", options, strongChecks);
  const { set, crop, seeds, leaveOut } = options;
  const [images, height, width] = batchShape("strongViews", pictures);
  if (height !== width)
    throw new ShapeError(`strongViews takes square pictures [N, R, R, 3], found [${pictures.shape}]`);
  if (crop > height) throw new ShapeError(`strongViews: a crop of ${shown(crop)} from pictures of ${height} pixels`);
  expectList("strongViews", "seeds", seeds, whole(0));
  if (seeds.length !== images) throw new ShapeError(`strongViews: ${seeds.length} seeds for ${images} pictures`);
  if (set === "randaugment") {
    if (leaveOut && leaveOut.length > 0)
      throw new TypeError(`strongViews: leaveOut is for the set "quality", got ${shown(leaveOut)} for "randaugment"`);
    const views = seeds.map((seed) => randAugmentView(height, crop, seed));
    const arrangements = views.map(({ arrangement }) => arrangement);
    const changes = views.map(({ change }) => change);
    return pictures.device.scope(() => changeLevels(arrangePacked(pictures, arrangements, crop), changes));
  }
  const leftOut = new Set(leaveOut);
  const views = seeds.map((seed) => qualityView(height, crop, seed, leftOut));
  return arrange(pictures, views, crop);
}

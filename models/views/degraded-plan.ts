import { Random } from "../../engine/random.ts";
import type { DistortionName } from "../data/degraded/distortions.ts";

/** Levels of every kind of distortion. */
export const degradedLevels = 5;

/** What a view is degraded by. */
export interface Degradation {
  /** Place of its kind among those that there are. */
  readonly kind: number;
  /** 1 … 5 */
  readonly level: number;
  /** Of the random choices of the distortion. */
  readonly seed: number;
  /** Where the view is cut from what was degraded, as shares of the room there is. */
  readonly place: { readonly top: number; readonly left: number };
}

/** Classes of kind and level: place of the kind times five, plus the level from 0 on. */
export const classOf = ({ kind, level }: Pick<Degradation, "kind" | "level">) => kind * degradedLevels + level - 1;

/** How so many views of a picture are degraded: each by another kind while there are any, at a level of 1 to 5. @param seed of the picture in its batch */
export function planDegradations(seed: number, views: number, kinds: readonly DistortionName[]): Degradation[] {
  const random = new Random(seed, "degraded views");
  const order: number[] = [];
  while (order.length < views) order.push(...random.shuffle(kinds.keys()));
  return order.slice(0, views).map((kind) => ({
    kind,
    level: 1 + random.integer(degradedLevels),
    seed: random.integer(2 ** 32),
    place: { top: random.uniform(), left: random.uniform() },
  }));
}

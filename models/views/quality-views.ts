import type { Arrangement } from "../../engine/ops/pictures/arrange.ts";
import { Random } from "../../engine/random.ts";

/** What a strong view for quality is made of besides its crop; each can be left out, and the others stay as they are. */
export const qualityIngredients = [
  "resizedCrop",
  "flip",
  "translation",
  "rotation",
  "shuffle",
  "cutout",
  "grey",
] as const;

export type QualityIngredient = (typeof qualityIngredients)[number];

/** How often, and how strongly. */
export const qualityStrength = {
  /** How often the crop is resized, and the least share of the picture's area that it then shows. */
  resizedCrop: 0.25,
  leastArea: 0.5,
  flip: 0.5,
  /** The furthest translation, as a share of the side. */
  translation: 1 / 8,
  /** How often patches are shuffled. */
  shuffle: 0.25,
  /** The longest side of the cutout, as a share of the view's. */
  cutout: 0.5,
  grey: 0.1,
} as const;

/**
 * The strong view for quality that a seed stands for: what it does leaves the statistics of neighbouring pixels alone, and with them
 * sharpness, noise, contrast and exposure, where the usual strong views change what is to be judged. A crop of the picture's own pixels
 * (sometimes a mild resized crop), mirrored in half of the cases, moved by whole pixels, turned by quarters, sometimes its patches in
 * another order, a square cut out whose side is uniform from 0 on, and in one of ten grey. The same seed gives the same view on every machine.
 * @param size side of the square picture in pixels
 * @param crop side of the view, at most `size`
 * @param seed 0 ≤ seed < 2^53
 */
export function qualityView(
  size: number,
  crop: number,
  seed: number,
  leftOut: ReadonlySet<QualityIngredient> = new Set(),
): Arrangement {
  const random = new Random(seed, "quality view");
  // Every ingredient draws from a stream of its own.
  const drawn = <Value>(name: QualityIngredient, draw: (own: Random) => Value): Value | undefined =>
    leftOut.has(name) ? undefined : draw(random.fork(name));
  const from = qualityStrength;
  const part = drawn("resizedCrop", (own) => resizedPart(own, size)) ?? squareAnywhere(random.fork("crop"), size, crop);
  const reach = Math.floor(crop * from.translation);
  const translation = drawn("translation", (own) => [own, own].map((each) => each.integer(2 * reach + 1) - reach));
  return {
    part,
    flip: drawn("flip", (own) => own.uniform() < from.flip) ?? false,
    down: translation?.[0] ?? 0,
    right: translation?.[1] ?? 0,
    quarters: drawn("rotation", (own) => own.integer(4)) ?? 0,
    patches: drawn("shuffle", shuffledPatches) ?? [0],
    hole: drawn("cutout", (own) => squareHole(own, crop)) ?? { top: 0, left: 0, height: 0, width: 0 },
    grey: drawn("grey", (own) => own.uniform() < from.grey) ?? false,
  };
}

/** A square anywhere in a square. */
export function squareAnywhere(random: Random, size: number, side: number) {
  const [top, left] = [random.integer(size - side + 1), random.integer(size - side + 1)];
  return { top, left, height: side, width: side };
}

function resizedPart(random: Random, size: number) {
  const { resizedCrop, leastArea } = qualityStrength;
  if (random.uniform() >= resizedCrop) return undefined;
  const area = leastArea + (1 - leastArea) * random.uniform();
  return squareAnywhere(random, size, Math.max(1, Math.round(size * Math.sqrt(area))));
}

function shuffledPatches(random: Random): number[] {
  if (random.uniform() >= qualityStrength.shuffle) return [0];
  const grid = 2 + random.integer(3);
  return random.shuffle(Array.from({ length: grid * grid }, (_, k) => k));
}

/** Its centre is uniform over the view, so that it may reach over the border. */
function squareHole(random: Random, crop: number) {
  const side = random.integer(Math.floor(crop * qualityStrength.cutout) + 1);
  const start = () => random.integer(crop) - Math.floor(side / 2);
  return { top: start(), left: start(), height: side, width: side };
}

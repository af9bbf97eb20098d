import type { Arrangement } from "../../engine/ops/pictures/arrange.ts";
import type { LevelOperation, LevelOperationName } from "../../engine/ops/pictures/levels.ts";
import { Random } from "../../engine/random.ts";

/** A view in two steps: what is shown of a picture, and what is done to its levels. */
export interface RandAugmentView {
  readonly arrangement: Arrangement;
  readonly operations: readonly LevelOperation[];
}

/** The operations, each with the range that its amount is uniform in. */
const operations: readonly (readonly [name: LevelOperationName, least: number, most: number])[] = [
  ["autoContrast", 1, 1],
  ["brightness", 0.05, 0.95],
  ["color", 0.05, 0.95],
  ["contrast", 0.05, 0.95],
  ["equalize", 1, 1],
  ["identity", 1, 1],
  ["posterize", 4, 8],
  ["rotate", -30, 30],
  ["sharpness", 0.05, 0.95],
  ["shearX", -0.3, 0.3],
  ["shearY", -0.3, 0.3],
  ["solarize", 0, 256],
  ["translateX", -0.3, 0.3],
  ["translateY", -0.3, 0.3],
];

const drawnOperations = 3;

/**
 * The strong view that a seed stands for as USB (Wang et al. 2022) draws it: a resized crop of 8 to 100 % of the picture, mirrored in half of
 * the cases, RandAugment (Cubuk et al. 2020) with three of 14 operations, drawn with replacement, each with an amount of its own, and
 * a square cut out whose side is uniform up to half of the view's. Most of it changes what the quality of a picture is judged by.
 * @param size side of the square picture in pixels
 * @param crop side of the view
 * @param seed 0 ≤ seed < 2^53
 */
export function randAugmentView(size: number, crop: number, seed: number): RandAugmentView {
  const random = new Random(seed, "RandAugment view");
  const part = resizedPart(random.fork("crop"), size);
  const flip = random.fork("flip").uniform() < 0.5;
  const own = random.fork("operations");
  return {
    arrangement: { part, flip },
    operations: [
      ...Array.from({ length: drawnOperations }, () => drawnOperation(own)),
      { name: "fill", hole: drawnHole(random.fork("cutout"), crop), colour: [125, 123, 114] },
    ],
  };
}

function drawnOperation(random: Random): LevelOperation {
  const [name, least, most] = operations[random.integer(operations.length)]!;
  const amount = least + (most - least) * random.uniform();
  return { name, amount: name === "posterize" ? Math.floor(amount) : amount };
}

/** Area uniform in 8 to 100 % and logarithm of the aspect uniform in 3/4 to 4/3, drawn anew until it fits; after ten tries, the whole. */
function resizedPart(random: Random, size: number) {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = (0.08 + 0.92 * random.uniform()) * size * size;
    const aspect = Math.exp((2 * random.uniform() - 1) * Math.log(4 / 3));
    const width = Math.round(Math.sqrt(area * aspect));
    const height = Math.round(Math.sqrt(area / aspect));
    if (width < 1 || height < 1 || width > size || height > size) continue;
    const [top, left] = [random.integer(size - height + 1), random.integer(size - width + 1)];
    return { top, left, height, width };
  }
  return { top: 0, left: 0, height: size, width: size };
}

/** Around a centre that is uniform over the view; both ends lie inside, as Pillow's rectangles have it. */
function drawnHole(random: Random, crop: number) {
  const side = 0.5 * random.uniform() * crop;
  const along = () => {
    const start = Math.trunc(Math.max(0, crop * random.uniform() - side / 2));
    return [start, Math.trunc(Math.min(crop, start + side)) - start + 1] as const;
  };
  const [[left, width], [top, height]] = [along(), along()];
  return { top, left, height, width };
}

import { type Check, expectArgument, expectList, object, oneOf, share, whole } from "../../arguments.ts";
import { flatWorkgroup } from "../../kernel/grid.ts";
import { ShapeError, Tensor } from "../../tensor.ts";
import { overImages } from "../batch.ts";
import { expectOperands, indices } from "../operands.ts";
import { inPixels, type Rectangle } from "./arrange.ts";

/** How the kernels tell an operation, and what its amount may be. */
interface Rule {
  /** Of augment/change. */
  readonly kind: number;
  /** Of augment/tables. */
  readonly rule?: number;
  readonly amount: Check;
  /** The amount as a whole number. */
  readonly steps?: (amount: number) => number;
  /** Of an affine map: output (x, y) to input (a x + b y + c, d x + e y + f), pixels centred at halves. */
  readonly map?: (amount: number, width: number, height: number) => Affine;
}

type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

const unit = 2 ** 16;
const toward = (amount: number) => Math.round(amount * unit);
const awayFrom = (amount: number) => unit - toward(amount);
const between = (least: number, most: number): Check => ({
  allowed: `a number from ${least} to ${most}`,
  fits: (value) => typeof value === "number" && value >= least && value <= most,
});
const factor = between(0, 16);
const slant = between(-1, 1);

const rules = {
  identity: { kind: 0, rule: 0, amount: share },
  autoContrast: { kind: 0, rule: 1, amount: share, steps: toward },
  equalize: { kind: 0, rule: 2, amount: share, steps: toward },
  invert: { kind: 0, rule: 3, amount: share, steps: toward },
  brightness: { kind: 0, rule: 4, amount: factor, steps: toward },
  contrast: { kind: 0, rule: 5, amount: factor, steps: toward },
  posterize: { kind: 0, rule: 6, amount: whole(0, 8), steps: (bits) => 8 - bits },
  solarize: { kind: 0, rule: 7, amount: between(0, 256), steps: Math.ceil },
  color: { kind: 1, amount: factor, steps: toward },
  sharpness: { kind: 2, amount: factor, steps: toward },
  smooth: { kind: 2, amount: share, steps: awayFrom },
  blur: { kind: 3, amount: share, steps: awayFrom },
  rotate: { kind: 4, amount: between(-180, 180), map: rotation },
  shearX: { kind: 4, amount: slant, map: (amount) => [1, amount, 0, 0, 1, 0] },
  shearY: { kind: 4, amount: slant, map: (amount) => [1, 0, 0, amount, 1, 0] },
  translateX: { kind: 4, amount: slant, map: (amount, width) => [1, 0, amount * width, 0, 1, 0] },
  translateY: { kind: 4, amount: slant, map: (amount, _, height) => [1, 0, 0, 0, 1, amount * height] },
} as const satisfies Record<string, Rule>;

export type LevelOperationName = keyof typeof rules;

const known: Readonly<Record<string, Rule>> = rules;
const named = oneOf(...Object.keys(rules));

/**
 * An operation on pictures of 8-bit levels with Pillow's rounding; `amount` is
 * - of autoContrast, equalize, invert, smooth and blur the share of the way to the picture so changed, 1 unless given,
 * - of brightness, color, contrast and sharpness the factor: 0 is black, grey, the mean grey or smoothed, 1 the picture, up to 16,
 * - of posterize the bits that are kept, 0 to 8, and of solarize the level, 0 to 256, from which levels are turned round,
 * - of rotate degrees anticlockwise about the centre, −180 to 180,
 * - of shearX and shearY, −1 to 1, how far an output's column or row looks to the right or down for each row or column,
 * - of translateX and translateY, −1 to 1, the share of the side that it looks to the right or down.
 *
 * Shares and factors count in steps of 2^-16. The last five take the nearest pixel, and black outside of the picture.
 */
export interface LevelOperation {
  readonly name: LevelOperationName;
  readonly amount?: number;
}

/** What is done to a picture: operations in order, then a rectangle filled with (125, 123, 114) / 255. */
export interface LevelChange {
  readonly operations: readonly LevelOperation[];
  readonly hole?: Rectangle;
}

/** So that sums of all levels of a picture fit 32 bits. */
const mostSide = 4096;

/**
 * Pictures of 8-bit levels, each changed by operations of its own. x: [N, H, W] u32 of R + 2^8 G + 2^16 B, as of `arrangePacked`, sides up
 * to 4096 → [N, H, W, 3] f32, levels times 1 / 255. The same bits on every adapter: Pillow's, but for autoContrast, whose levels may be one
 * higher where the exact one is whole. Not differentiable.
 * @param changes one for each picture; lists of operations may differ in length
 * @throws ShapeError, RangeError or TypeError for what is not so
 */
export function changeLevels(x: Tensor, changes: readonly LevelChange[]): Tensor {
  expectOperands("changeLevels", { x }, { x: indices });
  const [images, height, width] = x.shape as readonly [number, number, number];
  if (x.rank !== 3 || Math.max(height, width) > mostSide)
    throw new ShapeError(`changeLevels takes packed pictures [N, H, W] of sides up to ${mostSide}, found [${x.shape}]`);
  expectList("changeLevels", "the changes", changes, object);
  if (changes.length !== images) throw new ShapeError(`changeLevels: ${changes.length} changes for ${images} pictures`);
  changes.forEach(expectChange);

  const { device } = x;
  const passes = Math.max(1, ...changes.map(({ operations }) => operations.length));
  const words = Array.from({ length: passes }, (_, pass) =>
    changes.map(({ operations, hole }) => passWords(operations[pass], hole, width, height)),
  );
  using table = Tensor.from(device, new Uint32Array(Int32Array.from(words.flat(2)).buffer), [passes * images, 16]);
  return device.scope(() => {
    let levels = x;
    for (let pass = 0; pass < passes; pass++)
      levels = changed(levels, table, pass * images, pass === passes - 1, [images, height, width]);
    return levels;
  });
}

function changed(
  x: Tensor,
  passes: Tensor,
  first: number,
  last: boolean,
  [images, height, width]: readonly [number, number, number],
): Tensor {
  const { device } = x;
  const tables = Tensor.empty(device, [images, 3, 256], "u32");
  const y = last
    ? Tensor.empty(device, [images, height, width, 3])
    : Tensor.empty(device, [images, height, width], "u32");
  overImages({ x, tables, y }, { passes }, ({ windows, grid, firstImage, images: count }) => {
    const first_image = first + firstImage;
    const looked = { x: windows.x!, passes: windows.passes!, y: windows.tables! };
    device.kernels.run("augment/tables", {}, looked, { pixels: height * width, first_image }, [3, count, 1]);
    const constants = { LAST: last, WORKGROUP: flatWorkgroup };
    device.kernels.run("augment/change", constants, windows, { height, width, first_image }, grid(width, height));
  });
  return y;
}

function expectChange({ operations, hole }: LevelChange, n: number): void {
  const of = `changeLevels: picture ${n}`;
  expectList(of, "the operations", operations, object);
  for (const { name, amount } of operations) {
    expectArgument(of, "the name", name, named);
    expectArgument(of, `the amount of ${name}`, amount ?? 1, known[name]!.amount);
  }
  if (hole && !inPixels(hole)) throw new ShapeError(`${of}: the hole is not in whole pixels of size ≥ 0`);
}

/** Four words of four as the kernels read them. */
function passWords(
  { name, amount = 1 }: LevelOperation = { name: "identity" },
  hole: Rectangle = { top: 0, left: 0, height: 0, width: 0 },
  width: number,
  height: number,
): number[] {
  const { kind, rule = 0, steps, map }: Rule = rules[name];
  const [a, b, c, d, e, f] = fixed(map?.(amount, width, height) ?? [1, 0, 0, 0, 1, 0]);
  const rows = [hole.top, hole.top + hole.height].map((at) => Math.min(Math.max(at, 0), height));
  const columns = [hole.left, hole.left + hole.width].map((at) => Math.min(Math.max(at, 0), width));
  return [
    ...[kind, rule, steps?.(amount) ?? 0, 0],
    ...[a!, b!, c!, 0, d!, e!, f!, 0],
    ...[rows[0]!, columns[0]!, rows[1]!, columns[1]!],
  ];
}

/**
 * An affine map in steps of 2^-16, with half a pixel added once, as Pillow rounds it: outputs are walked in these steps, and the
 * whole part is the input. Where it only moves, Pillow takes the whole part of each place itself.
 */
function fixed([a, b, c, d, e, f]: Affine): number[] {
  const steps = (value: number) => Math.floor(value * unit + 0.5);
  if (a === 1 && b === 0 && d === 0) return [unit, 0, Math.floor(c + 0.5) * unit, 0, unit, Math.floor(f + 0.5) * unit];
  return [steps(a), steps(b), steps(c + a * 0.5 + b * 0.5), steps(d), steps(e), steps(f + d * 0.5 + e * 0.5)];
}

/** About the centre, its factors rounded to 15 decimals as Pillow has them. */
function rotation(degrees: number, width: number, height: number): Affine {
  const angle = -((((degrees % 360) + 360) % 360) * Math.PI) / 180;
  const rounded = (value: number) => Number(value.toFixed(15));
  const [a, b, d, e] = [Math.cos(angle), Math.sin(angle), -Math.sin(angle), Math.cos(angle)].map(rounded) as [
    number,
    number,
    number,
    number,
  ];
  const [x, y] = [width / 2, height / 2];
  return [a, b, a * -x + b * -y + x, d, e, d * -x + e * -y + y];
}

import { type Check, expectArgument, expectList, object, oneOf, share, whole } from "../../arguments.ts";
import { flatWorkgroup } from "../../kernel/grid.ts";
import { ShapeError, Tensor } from "../../tensor.ts";
import { overImages } from "../batch.ts";
import { expectOperands, indices } from "../operands.ts";
import { inPixels, type Rectangle } from "./arrange.ts";
import { expectRescaling, type Rescaling, rescaleInto } from "./rescale.ts";

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
const named = oneOf(...Object.keys(rules), "fill", "rescale");

/**
 * An operation on pictures of 8-bit levels with Pillow's rounding; `amount` is
 * - of autoContrast, equalize, invert, smooth and blur the share of the way to the picture so changed, 1 unless given,
 * - of brightness, color, contrast and sharpness the factor: 0 is black, grey, the mean grey or smoothed, 1 the picture, up to 16,
 * - of posterize the bits that are kept, 0 to 8, and of solarize the level, 0 to 256, from which levels are turned round,
 * - of rotate degrees anticlockwise about the centre, −180 to 180,
 * - of shearX and shearY, −1 to 1, how far an output's column or row looks to the right or down for each row or column,
 * - of translateX and translateY, −1 to 1, the share of the side that it looks to the right or down.
 *
 * Shares and factors count in steps of 2^-16. The last five take the nearest pixel, and black outside of the picture. `fill` gives a
 * rectangle, which may reach over the border, one colour; `rescale` shows a part of the picture in its whole size.
 */
export type LevelOperation =
  | { readonly name: LevelOperationName; readonly amount?: number }
  | { readonly name: "fill"; readonly hole: Rectangle; readonly colour: Colour }
  | Rescaling;

/** Levels of red, green and blue. */
export type Colour = readonly [number, number, number];

/** So that sums of all levels of a picture fit 32 bits. */
const mostSide = 4096;

/**
 * Pictures of 8-bit levels, each changed by operations of its own, in their order. x: [N, H, W] u32 of R + 2^8 G + 2^16 B, as of
 * `arrangePacked`, sides up to 4096 → [N, H, W, 3] f32, levels times 1 / 255. The same bits on every adapter: Pillow's, but for
 * autoContrast, whose levels may be one higher where the exact one is whole. Not differentiable.
 * @param changes a list of operations for each picture; they may differ in length
 * @throws ShapeError, RangeError or TypeError for what is not so
 */
export function changeLevels(x: Tensor, changes: readonly (readonly LevelOperation[])[]): Tensor {
  expectOperands("changeLevels", { x }, { x: indices });
  const [images, height, width] = x.shape as readonly [number, number, number];
  if (x.rank !== 3 || Math.max(height, width) > mostSide)
    throw new ShapeError(`changeLevels takes packed pictures [N, H, W] of sides up to ${mostSide}, found [${x.shape}]`);
  expectList("changeLevels", "the changes", changes, list);
  if (changes.length !== images) throw new ShapeError(`changeLevels: ${changes.length} changes for ${images} pictures`);
  changes.forEach((operations, n) => {
    expectOperations(operations, n, height, width);
  });

  const { device } = x;
  const steps = changes.map(passesOf);
  const passes = Math.max(...steps.map(({ length }) => length));
  const words = Array.from({ length: passes }, (_, pass) =>
    steps.map((own) => passWords(own[pass] ?? {}, width, height)),
  );
  using table = Tensor.from(device, Int32Array.from(words.flat(2)), [passes * images, 16]);
  return device.scope(() => {
    let levels = x;
    for (let pass = 0; pass < passes; pass++) {
      const next = changed(levels, table, pass * images, pass === passes - 1);
      const parts = steps.map((own) => own[pass]?.rescaling);
      if (parts.some((part) => part)) rescaleInto(next, levels, parts);
      levels = next;
    }
    return levels;
  });
}

function changed(x: Tensor, passes: Tensor, first: number, last: boolean): Tensor {
  const { device } = x;
  const [images, height, width] = x.shape as readonly [number, number, number];
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

const list: Check = { allowed: "a list of operations", fits: Array.isArray, error: TypeError };

function expectOperations(operations: readonly LevelOperation[], n: number, height: number, width: number): void {
  const of = `changeLevels: picture ${n}`;
  for (const operation of operations) {
    expectArgument(of, "an operation", operation, object);
    expectArgument(of, "the name", operation.name, named);
    if (operation.name === "rescale") expectRescaling(of, operation, height, width);
    else if (operation.name === "fill") {
      if (!inPixels(operation.hole)) throw new ShapeError(`${of}: the hole is not in whole pixels of size ≥ 0`);
      expectList(of, "the colour", operation.colour, whole(0, 255));
    } else expectArgument(of, `the amount of ${operation.name}`, operation.amount ?? 1, known[operation.name]!.amount);
  }
}

/** What one pass does to a picture: an operation, and a rectangle that is filled behind it; or a rescaling alone. */
interface Pass {
  readonly operation?: { readonly name: LevelOperationName; readonly amount?: number };
  readonly fill?: { readonly hole: Rectangle; readonly colour: Colour };
  readonly rescaling?: Rescaling;
}

/** At least one pass, and the last of them, which makes numbers of levels, no rescaling. */
function passesOf(operations: readonly LevelOperation[]): Pass[] {
  const passes: Pass[] = [];
  for (const operation of operations) {
    const before = passes.at(-1);
    if (operation.name === "rescale") passes.push({ rescaling: operation });
    else if (operation.name !== "fill") passes.push({ operation });
    else if (before && !before.fill && !before.rescaling) passes.splice(-1, 1, { ...before, fill: operation });
    else passes.push({ fill: operation });
  }
  if (passes.length === 0 || passes.at(-1)!.rescaling) passes.push({});
  return passes;
}

/** Four words of four as the kernels read them. */
function passWords({ operation, fill }: Pass, width: number, height: number): number[] {
  const { name, amount = 1 } = operation ?? { name: "identity" };
  const { kind, rule = 0, steps, map }: Rule = rules[name];
  const [a, b, c, d, e, f] = fixed(map?.(amount, width, height) ?? [1, 0, 0, 0, 1, 0]);
  const { top = 0, left = 0, height: tall = 0, width: wide = 0 } = fill?.hole ?? {};
  const rows = [top, top + tall].map((at) => Math.min(Math.max(at, 0), height));
  const columns = [left, left + wide].map((at) => Math.min(Math.max(at, 0), width));
  const [red, green, blue] = fill?.colour ?? [0, 0, 0];
  return [
    ...[kind, rule, steps?.(amount) ?? 0, red + 2 ** 8 * green + 2 ** 16 * blue],
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

import {
  any,
  axisOf,
  type Checks,
  expectArgument,
  expectList,
  expectOptions,
  extent,
  oneOf,
  whole,
} from "../arguments.ts";
import { expectShape, type Shape, ShapeError, Tensor } from "../tensor.ts";
import { broadcastShape, combine, recorded, sameShape } from "./broadcast.ts";
import { along } from "./gather-axis.ts";
import { pad as padWithValue, permute, slice as sliceInOrder } from "./join.ts";
import { expectTensors, moved } from "./operands.ts";
import { reshape } from "./shape.ts";

function expectMoved(operation: string, x: Tensor): void {
  expectTensors(operation, { x }, { x: moved });
}

/** One list for each axis that a list of places rearranges, one after the other. */
function alongEach(operation: string, x: Tensor, lists: readonly (readonly number[] | undefined)[]): Tensor {
  return lists.reduce<Tensor>((y, list, axis) => (list ? along(operation, y, axis, list) : y), x);
}

function range(length: number, place: (i: number) => number = (i) => i): number[] {
  return Array.from({ length }, (_, i) => place(i));
}

/**
 * The part of x from `starts` (included) to `ends` (excluded) along each axis; negative numbers count from the end.
 * @param steps from one place to the next, 1 unless given. A negative one goes back from the start to behind the end, −Infinity being in front
 * of the first place
 * @throws ShapeError when there is not one start, end and step for each axis, they bound no part of it, or x of steps 1 has more than 6 axes
 */
export function slice(
  x: Tensor,
  starts: readonly number[],
  ends: readonly number[],
  steps?: readonly number[],
): Tensor {
  if (steps === undefined || !(x instanceof Tensor)) return sliceInOrder(x, starts, ends);
  expectMoved("slice", x);
  expectList("slice", "starts", starts, any);
  expectList("slice", "ends", ends, any);
  expectList("slice", "steps", steps, any);
  if ([starts, ends, steps].some((list) => list.length !== x.rank)) {
    throw new ShapeError(
      `slice: [${x.shape}] needs ${x.rank} starts, ends and steps, found [${starts}], [${ends}] and [${steps}]`,
    );
  }
  const place = (at: number, length: number) => (at === Number.NEGATIVE_INFINITY ? -1 : at < 0 ? at + length : at);
  const lists = steps.map((step, axis) => {
    const length = x.shape[axis]!;
    const [start, end] = [place(starts[axis]!, length), place(ends[axis]!, length)];
    const count = Math.ceil((end - start) / step);
    const last = start + Math.max(0, count - 1) * step;
    const fits = [start, end, step].every(Number.isInteger) && step !== 0 && count >= 0;
    const beyond = count === 0 ? length + 1 : length;
    if (!fits || Math.min(start, last) < 0 || Math.max(start, last) >= beyond || end > length) {
      throw new ShapeError(
        `slice: ${starts[axis]} to ${ends[axis]} by ${step} is no part of axis ${axis} of [${x.shape}]`,
      );
    }
    return start === 0 && step === 1 && count === length ? undefined : range(count, (i) => start + i * step);
  });
  return alongEach("slice", x, lists);
}

/** What the margins of a picture show: the picture mirrored without its border twice, its border, or the other side. */
export type PadMode = "reflect" | "edge" | "wrap";

const padModes = oneOf("reflect", "edge", "wrap");

/** The place that each mode shows at i of an axis of `length` places. */
const shownAt: Readonly<Record<PadMode, (i: number, length: number) => number>> = {
  reflect: (i, length) => {
    const period = Math.max(1, 2 * (length - 1));
    const at = ((i % period) + period) % period;
    return at < length ? at : period - at;
  },
  edge: (i, length) => Math.min(Math.max(i, 0), length - 1),
  wrap: (i, length) => ((i % length) + length) % length,
};

/**
 * x surrounded by `before` and `after` places along each axis. The gradient of what a margin shows goes to the place that it shows.
 * @param filling a value, 0 unless given (a whole number for u32 and i32), or `reflect`, `edge` or `wrap`
 * @throws ShapeError when there is not one number for each axis and side, one is negative, or a value surrounds more than 6 axes
 */
export function pad(
  x: Tensor,
  before: readonly number[],
  after: readonly number[],
  filling: number | PadMode = 0,
): Tensor {
  if (typeof filling !== "string") return padWithValue(x, before, after, filling);
  expectMoved("pad", x);
  expectArgument("pad", "the mode", filling, padModes);
  expectList("pad", "before", before, whole(0));
  expectList("pad", "after", after, whole(0));
  if (before.length !== x.rank || after.length !== x.rank) {
    throw new ShapeError(`pad: [${x.shape}] needs ${x.rank} numbers on each side, found [${before}] and [${after}]`);
  }
  const shown = shownAt[filling];
  const lists = x.shape.map((length, axis) => {
    const [low, high] = [before[axis]!, after[axis]!];
    if (length === 0 && low + high > 0)
      throw new ShapeError(`pad: axis ${axis} of [${x.shape}] has no elements for margins of ${filling}`);
    return low + high > 0 ? range(low + length + high, (i) => shown(i - low, length)) : undefined;
  });
  return alongEach("pad", x, lists);
}

/**
 * x back to front along some axes, all unless given (negative numbers count from the last). x: any type.
 * @throws ShapeError when there is no such axis
 */
export function flip(x: Tensor, axes?: number | readonly number[]): Tensor {
  expectMoved("flip", x);
  const all = axes === undefined ? x.shape.map((_, axis) => axis) : typeof axes === "number" ? [axes] : axes;
  expectList("flip", "axes", all, any);
  const turned = new Set(all.map((axis) => axisOf("flip", x.shape, axis)));
  const lists = x.shape.map((length, axis) => (turned.has(axis) ? range(length, (i) => length - 1 - i) : undefined));
  return alongEach("flip", x, lists);
}

/**
 * x beside itself so often along each axis: [a, b] twice is [a, b, a, b]. x: any type; with more numbers than axes x has axes of extent 1
 * in front, with fewer the first axes are left.
 * @throws ShapeError when a number is no whole one of at least 1
 */
export function tile(x: Tensor, times: readonly number[]): Tensor {
  expectMoved("tile", x);
  expectList("tile", "times", times, extent);
  const rank = Math.max(x.rank, times.length);
  const fill = (list: readonly number[]) => [...Array<number>(rank - list.length).fill(1), ...list];
  const [shape, all] = [fill(x.shape), fill(times)];
  const lists = shape.map((length, axis) =>
    all[axis]! > 1 ? range(length * all[axis]!, (i) => i % length) : undefined,
  );
  return alongEach("tile", reshape(x, shape), lists);
}

/**
 * Each place of an axis so often: [a, b] twice is [a, a, b, b]. x: any type.
 * @throws ShapeError when there is no such axis, or the number is no whole one of at least 1
 */
export function repeat(x: Tensor, times: number, axis: number): Tensor {
  expectMoved("repeat", x);
  expectArgument("repeat", "times", times, extent);
  const at = axisOf("repeat", x.shape, axis);
  return along(
    "repeat",
    x,
    at,
    range(x.shape[at]! * times, (i) => Math.floor(i / times)),
  );
}

/**
 * x repeated to a shape by NumPy's rules: aligned at the last axis, extents equal or that of x 1. ONNX's Expand takes extents of 1 for
 * those of x, as this does. x: any type.
 * @throws ShapeError when they do not go together
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  expectMoved("broadcastTo", x);
  expectShape(shape, "broadcastTo");
  const whole = broadcastShape("broadcastTo", x.shape, shape);
  if (sameShape(whole, x.shape)) return reshape(x, whole);
  return recorded("broadcastTo", combine("copy", "broadcastTo", { a: x, b: 0 }, whole), [[x, (dy) => dy.alias()]]);
}

export interface DepthOptions {
  /** Whether the block's places (`DCR`, the default) or the channels (`CRD`, as PyTorch's pixel shuffle) are outermost in the depth. */
  readonly order?: "DCR" | "CRD";
}

const depthChecks: Checks<DepthOptions> = { order: oneOf("DCR", "CRD") };

function expectPictures(operation: string, x: Tensor, block: number, options: DepthOptions) {
  expectMoved(operation, x);
  expectArgument(operation, "the block", block, extent);
  expectOptions(operation, options, depthChecks);
  if (x.rank !== 4) throw new ShapeError(`${operation} takes pictures [N, H, W, C], found [${x.shape}]`);
  return x.shape as readonly [number, number, number, number];
}

/**
 * Channels spread over blocks of pixels: [N, H, W, C · block²] → [N, H · block, W · block, C]. x: any type.
 * @throws ShapeError when the channels are no multiple of block²
 */
export function depthToSpace(x: Tensor, block: number, options: DepthOptions = {}): Tensor {
  const [images, height, width, depth] = expectPictures("depthToSpace", x, block, options);
  const channels = depth / block ** 2;
  if (!Number.isInteger(channels))
    throw new ShapeError(`depthToSpace: ${depth} channels of [${x.shape}] are no multiple of ${block}²`);
  const [shape, axes] =
    options.order === "CRD"
      ? [
          [channels, block, block],
          [0, 1, 4, 2, 5, 3],
        ]
      : [
          [block, block, channels],
          [0, 1, 3, 2, 4, 5],
        ];
  const spread = permute(reshape(x, [images, height, width, ...shape]), axes);
  return reshape(spread, [images, height * block, width * block, channels]);
}

/**
 * Blocks of pixels gathered into channels: [N, H · block, W · block, C] → [N, H, W, C · block²]. x: any type.
 * @throws ShapeError when height or width is no multiple of the block
 */
export function spaceToDepth(x: Tensor, block: number, options: DepthOptions = {}): Tensor {
  const [images, height, width, channels] = expectPictures("spaceToDepth", x, block, options);
  const [rows, columns] = [height / block, width / block];
  if (!Number.isInteger(rows) || !Number.isInteger(columns))
    throw new ShapeError(
      `spaceToDepth: ${height}x${width} pixels of [${x.shape}] are no multiple of blocks of ${block}`,
    );
  const blocks = reshape(x, [images, rows, block, columns, block, channels]);
  const gathered = permute(blocks, options.order === "CRD" ? [0, 1, 3, 5, 2, 4] : [0, 1, 3, 2, 4, 5]);
  return reshape(gathered, [images, rows, columns, channels * block ** 2]);
}

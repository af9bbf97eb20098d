import {
  belowOne,
  type Check,
  type Checks,
  expectArgument,
  expectList,
  expectNames,
  expectOptions,
  extent,
  flag,
  number,
  object,
  shown,
  text,
  whole,
} from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { Random } from "../random.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { multiply } from "./arithmetic.ts";
import { batchShape, overImages } from "./batch.ts";
import { slice } from "./join.ts";
import { expectTensors } from "./operands.ts";

/** Which random words an operation takes. Each call of a training should have a seed, stream or offset of its own. */
export interface RandomWords {
  /** 0 ≤ seed < 2^53. */
  readonly seed: number;
  /** Number of the first block of four words, 0 ≤ offset < 2^53: the words are those of `Random` from position 4 · offset on. */
  readonly offset?: number;
  /** Names an independent sequence of the same seed, as in `Random`. */
  readonly stream?: string;
}

export interface DropoutOptions extends Omit<RandomWords, "offset"> {
  /** As of {@link RandomWords}; a function is asked anew at every replay of a plan, by the operation and by its gradient. */
  readonly offset?: number | (() => number);
  /** Without it the result is x itself. */
  readonly training?: boolean;
}

export interface StochasticDepthOptions extends DropoutOptions {
  /**
   * The samples of x are those from `first` on in a batch of `of`, and take their words: cut or whole, a batch drops the same.
   * @default x is the whole batch
   */
  readonly part?: BatchPart;
}

/** Where samples lie in the batch that they are cut from. */
export interface BatchPart {
  readonly first: number;
  /** Samples of the whole batch. */
  readonly of: number;
}

const count: Check = { ...extent, error: RangeError };
const natural: Check = { ...whole(0), error: RangeError };
const offset: Check = {
  allowed: natural.allowed,
  fits: (value) => natural.fits(typeof value === "function" ? value() : value),
};
const wordChecks: Checks<RandomWords> = { seed: natural, offset: natural, stream: text };
const dropoutChecks: Checks<DropoutOptions> = { seed: natural, offset, stream: text, training: flag };

const depthChecks: Checks<StochasticDepthOptions> = { ...dropoutChecks, part: object };
const partNames = { first: true, of: true } satisfies Record<keyof BatchPart, true>;

/** What tells the kernels which words to take. @param start blocks before the window's */
function philoxParameters({ seed, stream = "", offset = 0 }: DropoutOptions, start: number) {
  const random = new Random(seed, stream);
  const first = typeof offset === "number" ? () => offset : offset;
  return {
    block_low: () => (first() + start) >>> 0,
    block_high: () => Math.floor((first() + start) / 2 ** 32),
    stream0: random.streamWords[0],
    stream1: random.streamWords[1],
    seed_low: random.key[0],
    seed_high: random.key[1],
  };
}

/**
 * `count` random words made on the GPU, u32 [count], each uniform in [0, 2^32): the words of `new Random(seed, stream)`
 * from position 4 · offset on.
 * @throws RangeError when seed or offset is not an integer in its range
 */
export function randomWords(device: Device, count: number, words: RandomWords): Tensor {
  expectArgument("randomWords", "the count", count, whole(1));
  expectOptions("randomWords", words, wordChecks);
  expectArgument("randomWords", "the seed", words.seed, natural);
  const y = Tensor.empty(device, [count], "u32");
  for (const { start, count: blocks } of rowRanges(device, Math.ceil(count / 4), [4])) {
    device.kernels.run(
      "random/words",
      { WORKGROUP: flatWorkgroup },
      { y: y.window(start * 4, blocks * 4) },
      { count4: blocks, ...philoxParameters(words, start) },
      flatGrid(device, blocks),
    );
  }
  return y;
}

/** x · keep / (1 − rate). Not recorded. */
function drop(x: Tensor, rate: number, words: DropoutOptions): Tensor {
  const { device } = x;
  const y = Tensor.like(x);
  const threshold = Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1);
  for (const { start, count } of rowRanges(device, Math.ceil(x.size / 4), [4])) {
    device.kernels.run(
      "random/dropout",
      { WORKGROUP: flatWorkgroup },
      { x: x.window(start * 4, count * 4), y: y.window(start * 4, count * 4) },
      { count4: count, ...philoxParameters(words, start), threshold, factor: 1 / (1 - rate) },
      flatGrid(device, count),
      { flops: Math.min(4 * count, x.size - 4 * start) },
    );
  }
  return y;
}

function checked<Options extends DropoutOptions>(
  operation: string,
  x: Tensor,
  rate: number,
  options: Options,
  checks: Checks<Options>,
): void {
  expectTensors(operation, { x });
  expectArgument(operation, "the rate", rate, belowOne);
  expectOptions(operation, options, checks);
  expectArgument(operation, "the seed", options.seed, natural);
}

/**
 * Sets each element to 0 with probability `rate` and divides the others by 1 − rate (Srivastava et al. 2014). Element i is
 * dropped when random word i is below rate · 2^32; NaN stays NaN. Nothing but the numbers in `options` is kept for the gradient.
 * @param options stream "dropout" unless given, training unless `training` is false
 * @throws ShapeError when x is not f32
 * @throws RangeError when the rate is not in [0, 1), or seed or offset not an integer in its range
 */
export function dropout(x: Tensor, rate: number, options: DropoutOptions): Tensor {
  checked("dropout", x, rate, options, dropoutChecks);
  if (options.training === false || rate === 0) return kept("dropout", x);
  const words = { stream: "dropout", ...options };
  // dx = dy · keep / (1 − rate), keep made again from the same words
  return record("dropout", [x], drop(x, rate, words), (dy) => [drop(dy, rate, words)]);
}

/**
 * {@link dropout} of whole channels: each sample of each channel is dropped with probability `rate`, the others are divided by 1 − rate
 * (Tompson et al. 2015). x: [N, …, C] of at least two axes; channel c of sample n takes the word of element n · C + c.
 */
export function dropout2d(x: Tensor, rate: number, options: DropoutOptions): Tensor {
  checked("dropout2d", x, rate, options, dropoutChecks);
  if (x.rank < 2) throw new ShapeError(`dropout2d takes samples [N, …, C], found [${x.shape}]`);
  if (options.training === false || rate === 0) return kept("dropout2d", x);
  const [samples, channels] = [x.shape[0]!, x.shape.at(-1)!];
  const inner = Array<number>(x.rank - 2).fill(1);
  const ones = Tensor.constant(x.device, new Float32Array(samples * channels).fill(1), [samples, ...inner, channels]);
  // dx = dy · keep / (1 − rate)
  return multiply(x, drop(ones, rate, { stream: "dropout", ...options }));
}

/** x under a second handle. */
function kept(operation: string, x: Tensor): Tensor {
  // dx = dy
  return record(operation, [x], x.alias(), (dy) => [dy]);
}

/**
 * Sets each whole sample to 0 with probability `rate` and divides the others by 1 − rate (Huang et al. 2016), before a
 * residual sum. x: [N, …]; sample n of its batch is dropped when random word n is below rate · 2^32.
 * @param options stream "stochastic depth" unless given, training unless `training` is false
 * @throws ShapeError when x is not f32 or f16, or more than what its batch has from `part.first` on
 * @throws RangeError when the rate is not in [0, 1), or seed, offset or an entry of `part` not an integer in its range
 */
export function stochasticDepth(x: Tensor, rate: number, options: StochasticDepthOptions): Tensor {
  checked("stochasticDepth", x, rate, options, depthChecks);
  const { part = { first: 0, of: x.shape[0]! } } = options;
  expectPart(x, part);
  if (options.training === false || rate === 0) return kept("stochasticDepth", x);
  const words = { stream: "stochastic depth", ...options };
  // dx = dy · keep[n] / (1 − rate), keep made again from the same words
  return record("stochasticDepth", [x], dropSamples(x, rate, words, part), (dy) => [
    dropSamples(dy, rate, words, part),
  ]);
}

function expectPart(x: Tensor, part: BatchPart): void {
  expectNames("part of stochasticDepth", part, partNames);
  expectArgument("stochasticDepth", "the first sample", part.first, natural);
  expectArgument("stochasticDepth", "the batch's size", part.of, count);
  const samples = x.shape[0]!;
  if (part.first + samples <= part.of) return;
  throw new ShapeError(
    `stochasticDepth: ${samples} samples from ${part.first} on are more than a batch of ${part.of} has`,
  );
}

/** Not recorded: x is taken under a handle that is not on the tape. */
function dropSamples(x: Tensor, rate: number, words: DropoutOptions, { first, of }: BatchPart): Tensor {
  const { device } = x;
  const one = x.shape.slice(1).fill(1);
  const ones = Tensor.constant(device, new Float32Array(of).fill(1), [of, ...one]);
  const all = drop(ones, rate, words);
  const samples = x.shape[0]!;
  const factors = samples === of ? all : slice(all, [first, ...one.map(() => 0)], [first + samples, ...one]);
  const plain = x.alias();
  const y = multiply(plain, factors);
  for (const temporary of new Set([ones, all, factors, plain])) temporary.dispose();
  return y;
}

/** A rectangle of a picture in pixels; it may reach over the borders. */
export interface CutoutWindow {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

const cutoutNames = { top: true, left: true, height: true, width: true } satisfies Record<keyof CutoutWindow, true>;

/**
 * Fills one rectangle of each picture with `value` (DeVries & Taylor 2017). x: [N, H, W, C]; windows: one for each of the
 * N pictures, in pixels; a height or width of 0 leaves the picture as it is.
 * @throws ShapeError when x is not f32 [N, H, W, C], or there is not one window of whole numbers for each picture
 */
export function cutout(x: Tensor, windows: readonly CutoutWindow[], value = 0): Tensor {
  const [images, height, width] = batchShape("cutout", x);
  expectArgument("cutout", "the value", value, number);
  expectList("cutout", "windows", windows, object);
  for (const window of windows) expectNames("a window of cutout", window, cutoutNames);
  if (windows.length !== images) throw new ShapeError(`cutout: ${windows.length} windows for ${images} pictures`);
  const bounds = windows.flatMap((window, n) => {
    const { top, left, height: tall, width: wide } = window;
    if (![top, left, tall, wide].every(Number.isSafeInteger) || tall < 0 || wide < 0) {
      throw new ShapeError(`cutout: window ${n}, ${shown(window)}, is not in whole pixels of size ≥ 0`);
    }
    const within = (at: number, extent: number) => Math.min(Math.max(at, 0), extent);
    return [within(top, height), within(left, width), within(top + tall, height), within(left + wide, width)];
  });
  // dx = 0 inside the window, else dy
  return record("cutout", [x], fillWindows(x, bounds, value), (dy) => [fillWindows(dy, bounds, 0)]);
}

function fillWindows(x: Tensor, bounds: readonly number[], value: number): Tensor {
  const [images, height, width, channels] = batchShape("cutout", x);
  const y = Tensor.like(x);
  const windows = Tensor.from(x.device, Uint32Array.from(bounds), [images, 4]);
  overImages({ x, y, windows }, {}, ({ windows: bound, grid }) => {
    x.device.kernels.run(
      "random/cutout",
      { WORKGROUP: flatWorkgroup },
      bound,
      { height, row: width * channels, channels, value },
      grid(width * channels, height),
    );
  });
  windows.dispose();
  return y;
}

/**
 * One square of `size` pixels a picture, its centre uniform over the pixels of the picture as in DeVries & Taylor (2017),
 * so that it may reach over the border.
 * @throws RangeError when an extent is not a whole number ≥ 1
 */
export function cutoutWindows(
  random: Random,
  images: number,
  height: number,
  width: number,
  size: number,
): CutoutWindow[] {
  const given = { images, height, width, size };
  for (const [name, value] of Object.entries(given)) expectArgument("cutoutWindows", name, value, count);
  return Array.from({ length: images }, () => ({
    top: random.integer(height) - Math.floor(size / 2),
    left: random.integer(width) - Math.floor(size / 2),
    height: size,
    width: size,
  }));
}

import { Random } from "../random.ts";
import { halvesToNumbers, numberToHalf } from "../weights/half.ts";
import { KernelUsageError } from "./errors.ts";
import type { Scalar } from "./interface.ts";

/** Elements as they lie in memory; f16 as their bits. */
export type Elements =
  | Float32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>;

const arrays = { f32: Float32Array, f16: Uint16Array, u32: Uint32Array, i32: Int32Array } as const;

/** Elements of a buffer that was read back. */
export function elementsOf(bytes: ArrayBuffer, scalar: Scalar): Elements {
  return new arrays[scalar](bytes);
}

/** Their values as numbers. */
export function numbersOf(
  elements: Elements,
  scalar: Scalar,
): Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  return scalar === "f16" ? halvesToNumbers(elements as Uint16Array) : (elements as Float32Array<ArrayBuffer>);
}

/**
 * What results hold before a run: first a NaN, then a number that nothing computes by chance; for integers two patterns.
 * The NaN has bits of its own, too.
 */
const poisons = {
  f32: [0x7fc5_a5a5, 0xf149_f2ca],
  f16: [0x7e5a, 0xf5a5],
  u32: [0xa5a5_a5a5, 0x5a5a_5a5b],
  i32: [0xa5a5_a5a5, 0x5a5a_5a5b],
} as const;

/** A result before run `turn`, so that what a kernel leaves of it, or computes from it, differs between the turns. */
export function poisoned(count: number, scalar: Scalar, turn: 0 | 1): Elements {
  const bits = scalar === "f16" ? new Uint16Array(count) : new Uint32Array(count);
  bits.fill(poisons[scalar][turn]);
  return elementsOf(bits.buffer, scalar);
}

/** Elements as bits, which tell apart what numbers do not: NaN from NaN, 0 from −0. */
export function bitsOf({ buffer, byteOffset, length, BYTES_PER_ELEMENT }: Elements): Uint16Array | Uint32Array {
  return BYTES_PER_ELEMENT === 2
    ? new Uint16Array(buffer, byteOffset, length)
    : new Uint32Array(buffer, byteOffset, length);
}

const usage =
  "a number, nan, index, uniform, uniform(low, high), normal, normal(mean, deviation) or integers(low, high), the upper end excluded";

/**
 * What a buffer holds before the kernel runs.
 * @param fill a number for all; `nan`; `index`: 0, 1, 2, …; `uniform(low, high)`, for floats [−1, 1) when nothing is given;
 * `normal(mean, deviation)`; `integers(low, high)`
 * @param seed with `stream` it decides what is drawn
 * @throws KernelUsageError when `fill` is none of these
 */
export function filled(fill: string | number, count: number, scalar: Scalar, seed: number, stream: string): Elements {
  const next = generator(fill, new Random(seed, stream));
  const elements = new arrays[scalar](count);
  for (let i = 0; i < count; i++) elements[i] = scalar === "f16" ? numberToHalf(next(i)) : next(i);
  return elements;
}

function generator(fill: string | number, random: Random): (index: number) => number {
  const text = String(fill).trim();
  const match = /^([a-z]+)(?:\(([^()]*)\))?$/.exec(text);
  if (text !== "" && Number.isFinite(Number(text))) return () => Number(text);
  const [low, high] = (match?.[2] ?? "").split(",").map((word) => (word.trim() === "" ? Number.NaN : Number(word)));
  const given = match?.[2] !== undefined;
  const valid = given ? Number.isFinite(low) && Number.isFinite(high) : true;
  if (match && valid) {
    const [a, b] = [given ? low! : undefined, given ? high! : undefined];
    switch (match[1]) {
      case "nan":
        return () => Number.NaN;
      case "index":
        return (index) => index;
      case "uniform":
        return () => (a ?? -1) + ((b ?? 1) - (a ?? -1)) * (random.word() / 2 ** 32);
      case "normal":
        return () => (a ?? 0) + (b ?? 1) * random.normal();
      case "integers":
        if (a !== undefined && b! > a) return () => a + random.integer(b! - a);
    }
  }
  throw new KernelUsageError(`cannot fill a buffer with "${text}"; expected ${usage}`);
}

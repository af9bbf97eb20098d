import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { cumulativeSum } from "../../../engine/ops/cumulative-sum.ts";
import { layerNorm } from "../../../engine/ops/layer-norm.ts";
import { earthMoversDistance, expectationL1, klDivergence, softCrossEntropy } from "../../../engine/ops/losses.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { logSoftmax, softmax } from "../../../engine/ops/softmax.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { sharedDevice } from "../device.ts";

const f32 = Math.fround;

/** Numbers without a pattern that rounding could follow, in −range … range. */
function noise(length: number, range: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * range;
  });
}

/** The sum of a row in the order of shaders/row/sum.wgsl, for 8 lanes and more. */
function orderedSum(row: Float32Array): number {
  const width = row.length % 4 === 0 ? 4 : 1;
  const slots = Array.from({ length: 64 }, (_, slot) => {
    const total = new Float32Array(width);
    const excess = new Float32Array(width);
    for (let at = slot * width; at < row.length; at += 64 * width) {
      for (let lane = 0; lane < width; lane++) {
        const exact = f32(row[at + lane]! - excess[lane]!);
        const next = f32(total[lane]! + exact);
        excess[lane] = f32(f32(next - total[lane]!) - exact);
        total[lane] = next;
      }
    }
    return total.reduce((sum, value) => f32(sum + value));
  });
  let total = 0;
  for (let first = 0; first < 8; first++) {
    let block = 0;
    for (let slot = first; slot < 64; slot += 8) block = f32(block + slots[slot]!);
    total = f32(total + block);
  }
  return total;
}

describe("sums over a row longer than 256 have the bits of one order, on 8 lanes and on 64, on every adapter", () => {
  for (const columns of [257, 300, 1000, 1001, 65_536]) {
    test(`[2, ${columns}]`, async () => {
      const device = await sharedDevice();
      const dy = noise(2 * columns, 3);
      for (const lanes of [8, 64]) {
        const { dx: reading } = device.scope(() => {
          // y = 0: dx = dy − e^0 · Σ dy
          const y = Tensor.zeros(device, [2, columns]);
          const out = Tensor.empty(device, [2, columns]);
          const vector = columns % 4 === 0;
          device.kernels.run(
            "softmax/rows_gradient",
            { LOG: true, VECTOR: vector, LANES: lanes, WORKGROUP: lanes },
            { y: y.window(), dy: Tensor.from(device, dy, [2, columns]).window(), dx: out.window() },
            { rows: 2, columns: vector ? columns / 4 : columns },
            [2, 1, 1],
          );
          return { dx: out.read() };
        });
        const dx = await reading;
        const expected = [0, 1].flatMap((row) => {
          const own = dy.subarray(row * columns, (row + 1) * columns);
          const total = orderedSum(own);
          return Array.from(own, (value) => f32(value - total));
        });
        expect(Buffer.from(Float32Array.from(dx).buffer).equals(Buffer.from(Float32Array.from(expected).buffer))).toBe(
          true,
        );
      }
    });
  }
});

type Values = ArrayLike<number>;

/** Largest difference, as a share of the largest number. */
function error(found: Values, expected: Values): number {
  let [most, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (!(difference <= most)) most = difference;
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return most / scale;
}

const sumOf = (values: Values, of: (value: number, i: number) => number = (value) => value) => {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += of(values[i]!, i);
  return total;
};

/** What a row becomes in double precision, and its gradient for dy. */
interface Reference {
  readonly y: Values;
  readonly dx: Values;
}

/** x, a second row t ≥ 0 of sum 1, and dy. */
type Case = (x: Float32Array, t: Float32Array, dy: Float32Array) => Reference;

function softmaxOf(x: Float32Array) {
  const top = x.reduce((a, b) => Math.max(a, b));
  const total = sumOf(x, (value) => Math.exp(value - top));
  return { p: Float64Array.from(x, (value) => Math.exp(value - top) / total), shift: top + Math.log(total) };
}

const references: Readonly<Record<string, Case>> = {
  softmax: (x, _, dy) => {
    const { p } = softmaxOf(x);
    const along = sumOf(p, (value, i) => value * dy[i]!);
    return { y: p, dx: p.map((value, i) => value * (dy[i]! - along)) };
  },
  logSoftmax: (x, _, dy) => {
    const { p, shift } = softmaxOf(x);
    const total = sumOf(dy);
    return { y: Float64Array.from(x, (value) => value - shift), dx: p.map((value, i) => dy[i]! - value * total) };
  },
  layerNorm: (x, _, dy) => {
    const m = sumOf(x) / x.length;
    const r = 1 / Math.sqrt(sumOf(x, (value) => (value - m) ** 2) / x.length + 1e-5);
    const y = Float64Array.from(x, (value) => (value - m) * r);
    const [g, along] = [sumOf(dy) / x.length, sumOf(dy, (value, i) => value * y[i]!) / x.length];
    return { y, dx: y.map((value, i) => r * (dy[i]! - g - value * along)) };
  },
  l2Normalise: (x, _, dy) => {
    const n = Math.sqrt(sumOf(x, (value) => value * value));
    const along = sumOf(x, (value, i) => (value / n) * dy[i]!);
    return {
      y: Float64Array.from(x, (value) => value / n),
      dx: Float64Array.from(x, (value, i) => (dy[i]! - (value / n) * along) / n),
    };
  },
  cumulativeSum: (x, _, dy) => {
    let [up, down] = [0, 0];
    const y = Float64Array.from(x, (value) => (up += value));
    const dx = Float64Array.from(dy).reverse();
    return { y, dx: dx.map((value) => (down += value)).reverse() };
  },
  softCrossEntropy: (x, t) => {
    const { p, shift } = softmaxOf(x);
    const mass = sumOf(t);
    return { y: [sumOf(t, (value, i) => value * (shift - x[i]!))], dx: p.map((value, i) => value * mass - t[i]!) };
  },
  klDivergence: (x, t) => {
    const { p, shift } = softmaxOf(x);
    const mass = sumOf(t);
    const y = sumOf(t, (value, i) => value * (Math.log(value) + shift - x[i]!));
    return { y: [y], dx: p.map((value, i) => value * mass - t[i]!) };
  },
  earthMoversDistance: (x, t) => {
    const { p } = softmaxOf(x);
    let [d, s] = [0, 0];
    const distance = p.map((value, i) => (d += value - t[i]!));
    const y = Math.sqrt(sumOf(distance, (value) => value * value) / x.length);
    const after = distance
      .toReversed()
      .map((value) => (s += value))
      .reverse();
    const mean = sumOf(p, (value, i) => value * after[i]!);
    return { y: [y], dx: p.map((value, i) => (value * (after[i]! - mean)) / (x.length * y)) };
  },
  expectationL1: (x, t) => {
    const { p } = softmaxOf(x);
    const expected = sumOf(p, (value, i) => value * t[i]!);
    return { y: [expected], dx: p.map((value, i) => value * (t[i]! - expected)) };
  },
};

type Work = (x: Tensor, t: Tensor) => Tensor;

const works: Readonly<Record<string, Work>> = {
  softmax: (x) => softmax(x),
  logSoftmax: (x) => logSoftmax(x),
  layerNorm: (x) => layerNorm(x, filled(x.device, x.size, 1), filled(x.device, x.size, 0)),
  l2Normalise: (x) => l2Normalise(x),
  cumulativeSum: (x) => cumulativeSum(x),
  softCrossEntropy,
  klDivergence,
  earthMoversDistance,
  expectationL1: (x, t) => expectationL1(x, Tensor.from(x.device, [0], [1]), t.alias([t.size])),
};

function filled(device: Device, length: number, value: number): Tensor {
  return Tensor.from(device, new Float32Array(length).fill(value), [length]);
}

/** Numbers of a length, made once: x, a distribution t that is not that of x, and dy. */
const operands = new Map<number, readonly [x: Float32Array, t: Float32Array, dy: Float32Array]>();

function operandsOf(columns: number) {
  let found = operands.get(columns);
  if (!found) {
    const x = noise(columns, 1.5).map((value) => value + 0.5);
    const share = noise(columns, 0.4, 2).map((value, i) => (value + 0.5) * (0.2 + (1.6 * i) / columns));
    const mass = sumOf(share);
    const dy = noise(columns, 1, 3).map((value) => value + 0.5);
    found = [x, share.map((value) => value / mass), dy];
    operands.set(columns, found);
  }
  return found;
}

/**
 * What the numbers themselves allow: at 4 M columns ln p and ln t are about −15, of which f32 has the last bit at 1e-6, and so
 * is the share of e^(ln p) in an error; both end in a result of about 1.
 */
const allowed: Readonly<Record<string, number>> = { logSoftmax: 2e-6, klDivergence: 2e-6 };

describe("long rows keep an error below 1e-6, forward and backward, against double precision", () => {
  for (const columns of [65_536, 4_194_304]) {
    for (const [name, work] of Object.entries(works)) {
      test(`${name} [1, ${columns}]`, async () => {
        const device = await sharedDevice();
        const [x, t, dyOfRow] = operandsOf(columns);
        const reads = device.scope(() => {
          const logits = Tensor.from(device, x, [1, columns]);
          logits.requiresGradient = true;
          const y = work(logits, Tensor.from(device, t, [1, columns]));
          const dy = y.size === 1 ? Float32Array.of(1) : dyOfRow;
          backward(sum(multiply(y, Tensor.from(device, dy, y.shape))));
          return { y: y.read(), dx: logits.gradient!.read() };
        });
        const expected = references[name]!(x, t, dyOfRow);
        const [y, dx] = [error(await reads.y, expected.y), error(await reads.dx, expected.dx)];
        const most = columns > 65_536 ? (allowed[name] ?? 1e-6) : 1e-6;
        expect({ y, dx, most: y < most && dx < most }).toEqual({ y, dx, most: true });
      }, 120_000);
    }
  }
});

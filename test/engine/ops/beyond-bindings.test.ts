import { describe, expect, test } from "bun:test";
import { cumulativeSum } from "../../../engine/ops/cumulative-sum.ts";
import { permute } from "../../../engine/ops/join.ts";
import { layerNorm } from "../../../engine/ops/layer-norm.ts";
import { softCrossEntropy, weightedMean } from "../../../engine/ops/losses.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { transpose } from "../../../engine/ops/shape.ts";
import { logSoftmax, softmax } from "../../../engine/ops/softmax.ts";
import { topK } from "../../../engine/ops/top-k.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type Run, relativeError, runWithGradients } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

/** Elements that a window of the small device holds at most, and rows that no window begins with. */
const device = await plainDevice();
const window = device.maximumBindingBytes / 4;
const unaligned = Math.floor((window * 2) / 3) | 1;

type Case = readonly [title: string, shapes: readonly (readonly number[])[], run: Run];

const rowsCases: readonly Case[] = [
  ["softmax", [[3, unaligned]], ([x]) => softmax(x!)],
  ["logSoftmax", [[3, unaligned]], ([x]) => logSoftmax(x!)],
  ["l2Normalise", [[3, unaligned]], ([x]) => l2Normalise(x!)],
  ["cumulativeSum", [[3, unaligned]], ([x]) => cumulativeSum(x!)],
  ["topK", [[3, unaligned]], ([x]) => topK(x!, 3).values],
  ["layerNorm", [[3, unaligned], [unaligned], [unaligned]], ([x, scale, shift]) => layerNorm(x!, scale!, shift!)],
  [
    "softCrossEntropy",
    [[3, unaligned]],
    ([x]) => softCrossEntropy(x!, Tensor.from(x!.device, new Float32Array(3 * unaligned).fill(0.01), [3, unaligned])),
  ],
];

const sumCases: readonly Case[] = [unaligned, 2 * window, 5 * window + 3].flatMap((long): Case[] => [
  [`sum of the last axis of [3, ${long}]`, [[3, long]], ([x]) => sum(x!, -1)],
  [`sum of the first axis of [3, ${long}]`, [[3, long]], ([x]) => sum(x!, 0)],
  [`mean of the middle axis of [2, 3, ${long}]`, [[2, 3, long]], ([x]) => mean(x!, 1)],
  [`mean of the middle axis of [2, ${long}, 3]`, [[2, long, 3]], ([x]) => mean(x!, 1)],
]);

const moves: readonly Case[] = [unaligned, 2 * window, 5 * window + 3].flatMap((long): Case[] => [
  [`transpose [3, ${long}]`, [[3, long]], ([x]) => transpose(x!)],
  [`transpose [${long}, 3]`, [[long, 3]], ([x]) => transpose(x!)],
  [`transpose [2, ${long}, 2]`, [[2, long, 2]], ([x]) => transpose(x!)],
  [`permute [3, ${long}] by 1, 0`, [[3, long]], ([x]) => permute(x!, [1, 0])],
  [`permute [2, 3, ${long}] by 0, 2, 1`, [[2, 3, long]], ([x]) => permute(x!, [0, 2, 1])],
  [`permute [2, 3, ${long}] by 1, 0, 2`, [[2, 3, long]], ([x]) => permute(x!, [1, 0, 2])],
  [`permute [${long}, 2, 2] by 2, 1, 0`, [[long, 2, 2]], ([x]) => permute(x!, [2, 1, 0])],
]);

/** Positive numbers where `shift` is 2: a sum whose terms cancel has no digits to compare. */
const inputsOf = (shapes: Case[1], shift = 0) =>
  shapes.map((shape, seed) => ({ shape: [...shape], seed: seed + 1, shift }));

describe("rows that start where no window can, and tensors of more than a window, are as in one", () => {
  for (const [title, shapes, run] of [...rowsCases, ...moves]) {
    test(title, async () => {
      const found = await runWithGradients(device, inputsOf(shapes), run);
      expect(found).toEqual(await runWithGradients(await sharedDevice(), inputsOf(shapes), run));
    }, 120_000);
  }

  for (const [title, shapes, run] of sumCases) {
    test(title, async () => {
      const found = await runWithGradients(device, inputsOf(shapes, 2), run);
      const expected = await runWithGradients(await sharedDevice(), inputsOf(shapes, 2), run);
      // Where parts of a sum end depends on the window.
      expect(relativeError(found.output, expected.output)).toBeLessThan(1e-6);
      expect(found.gradients).toEqual(expected.gradients);
    }, 120_000);
  }
});

test("rows of 20 M numbers are summed", async () => {
  const own = await sharedDevice();
  const columns = 20_000_001;
  // Without a pattern that rounding could follow.
  let state = 1;
  const numbers = Float32Array.from({ length: 2 * columns }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
  const reads = own.scope(() => ({ y: sum(Tensor.from(own, numbers, [2, columns]), -1).read() }));
  const y = await reads.y;
  for (const row of [0, 1]) {
    const expected = numbers.subarray(row * columns, (row + 1) * columns).reduce((total, value) => total + value, 0);
    expect(Math.abs(y[row]! / expected - 1)).toBeLessThan(1e-6);
  }
}, 120_000);

test("a mean of many rows keeps its error below 1e-6", async () => {
  const own = await sharedDevice();
  const count = 1_000_003;
  const rows = Float32Array.from({ length: count }, (_, i) => 0.1 + (i % 7) * 0.01);
  const reads = own.scope(() => {
    const weights = Tensor.from(own, new Float32Array(count).fill(0.3), [count]);
    return { y: weightedMean(Tensor.from(own, rows, [count]), weights).read() };
  });
  const expected = rows.reduce((total, value) => total + value * Math.fround(0.3), 0) / count;
  expect(Math.abs((await reads.y)[0]! / expected - 1)).toBeLessThan(1e-6);
}, 120_000);

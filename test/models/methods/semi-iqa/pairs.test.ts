import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { allPairs, diversity, preferenceLoss } from "../../../../models/methods/semi-iqa/pairs.ts";
import {
  checkDifferences,
  type GoldenCase,
  goldenCases,
  relativeError,
  runWithGradients,
} from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";

const device = await sharedDevice();
const cases = goldenCases("fidelity");
const runner =
  ({ operation }: Pick<GoldenCase, "operation">) =>
  ([scores, known, weights]: Tensor[]) => {
    const pairs = allPairs(scores!.shape[0]!);
    return operation === "diversity" ? diversity(scores!, pairs) : preferenceLoss(scores!, pairs, known!, weights!);
  };

describe("fidelity of Thurstone's preferences", () => {
  for (const each of cases) {
    test(`${each.operation} [${each.inputs[0]!.shape}] is PyTorch's in float64, with its gradient`, async () => {
      const found = await runWithGradients(device, each.inputs, runner(each));
      // Of 1 − √… − √…, in which numbers up to 1 cancel.
      expect(Math.abs(found.output[0]! - each.output[0]!)).toBeLessThan(1e-6 * Math.max(1, each.output[0]!));
      expect(relativeError(found.gradients[0]!, each.gradients[0]!)).toBeLessThan(1e-5);
      await checkDifferences(device, each.inputs, runner(each), { step: 1e-2 });
    });
  }

  const ran = async (scores: readonly number[], g: readonly number[], heads: number, operation = "preferenceLoss") => {
    const reads = device.scope(() => {
      const tensors = [
        Tensor.from(device, [...scores], [scores.length / heads, heads]),
        Tensor.from(device, [...g], [g.length, 1]),
        Tensor.from(device, Array(g.length).fill(1 / g.length), [g.length, 1]),
      ];
      tensors[0]!.requiresGradient = true;
      const loss = runner({ operation })(tensors);
      backward(loss);
      return { loss: loss.item(), gradient: tensors[0]!.gradient!.read() };
    });
    return { loss: await reads.loss, gradient: [...(await reads.gradient)] };
  };

  test("does not change when all scores are shifted, nor with the order of the pictures", async () => {
    const scores = [0.3, -0.4, 1.1, 0.2, -0.7, 0.9];
    const g = [1, 0.5, 0];
    const [one, shifted] = [
      await ran(scores, g, 2),
      await ran(
        scores.map((score) => score + 3),
        g,
        2,
      ),
    ];
    expect(shifted.loss).toBeCloseTo(one.loss, 5);
    expect(relativeError(shifted.gradient, one.gradient)).toBeLessThan(1e-4);
    // Pictures 2, 1, 0: the pairs are (2, 1), (2, 0), (1, 0), each the other way round.
    const turned = await ran([-0.7, 0.9, 1.1, 0.2, 0.3, -0.4], [1, 0.5, 0], 2);
    expect(turned.loss).toBeCloseTo(one.loss, 6);
    const found = await ran(scores, g, 2, "diversity");
    const other = await ran([-0.7, 0.9, 1.1, 0.2, 0.3, -0.4], g, 2, "diversity");
    expect(other.loss).toBeCloseTo(found.loss, 6);
  });

  test("is 0 with a finite gradient where scores say what is known, and for heads that agree", async () => {
    const equal = await ran([0.5, 0.5, 0.5, 0.5], [0.5], 2);
    expect(Math.abs(equal.loss)).toBeLessThan(1e-6);
    expect(equal.gradient.every((slope) => Math.abs(slope) < 1e-6)).toBe(true);
    for (const scores of [
      [9, 9, -9, -9],
      [80, 80, -80, -80],
    ]) {
      const sure = await ran(scores, [1], 2);
      expect(Math.abs(sure.loss)).toBeLessThan(1e-3);
      const wrong = await ran(scores, [0], 2);
      expect(wrong.loss).toBeGreaterThan(1.9);
      expect([...sure.gradient, ...wrong.gradient].every(Number.isFinite)).toBe(true);
    }
    const agreeing = await ran([1, 1, 0.2, 0.2, -3, -3], [1, 1, 1], 2, "diversity");
    expect(Math.abs(agreeing.loss)).toBeLessThan(1e-6);
    expect(agreeing.gradient.every((slope) => Math.abs(slope) < 1e-5)).toBe(true);
  });
});

test("pairs are each two once", () => {
  expect(allPairs(4)).toEqual([
    [0, 1],
    [0, 2],
    [0, 3],
    [1, 2],
    [1, 3],
    [2, 3],
  ]);
  expect(allPairs(1)).toEqual([]);
});

import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { softCrossEntropy, weightedMean } from "../../../../engine/ops/losses.ts";
import { softmax } from "../../../../engine/ops/softmax.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { agreement, consistencyLoss, taken } from "../../../../models/methods/parts/consistency.ts";
import { type FixMatchLoss, guess, unlabelledLoss } from "../../../../models/methods/parts/fixed-threshold.ts";
import { viewOf } from "../../../../models/training/rows.ts";
import { relativeError } from "../../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";

/** Logits of three unlabelled pictures and two labelled ones, the values beside them computed in float64 by hand. */
const weak = [4, 0, 0, 0, 2.5, 0.5, 0.2, 0.1, 0];
const strong = [2, 1, 0, 0.5, 1, 0, 0, 0.3, 0.1];
const fixed: FixMatchLoss = { threshold: 0.95, unlabelledWeight: 1, pseudoLabels: "hard", temperature: 0.5 };

/** The loss of pictures, its figure and the gradients of both views, which are interleaved as in a batch. */
async function of(options: Partial<FixMatchLoss>, w = weak, s = strong, open = sharedDevice) {
  const device = await open();
  const count = w.length / 3;
  const rows = Array.from({ length: count }, (_, i) => [...w.slice(3 * i, 3 * i + 3), ...s.slice(3 * i, 3 * i + 3)]);
  const reads = device.scope(() => {
    const logits = Tensor.from(device, rows.flat(), [2 * count, 3]);
    logits.requiresGradient = true;
    const part = { row: 0, first: 0, count, size: count, views: 2 };
    const own = { ...fixed, ...options };
    const { loss, figures } = unlabelledLoss(viewOf(logits, part, 0), viewOf(logits, part, 1), count, own);
    const mask = guess(viewOf(logits, part, 0), own).mask;
    backward(loss);
    return {
      loss: loss.item(),
      share: figures![taken]!.item(),
      mask: mask.read(),
      gradient: logits.gradient!.read(),
    };
  });
  const gradient = [...(await reads.gradient)];
  const side = (view: number) => gradient.filter((_, i) => Math.floor(i / 3) % 2 === view);
  return {
    loss: await reads.loss,
    share: await reads.share,
    mask: [...(await reads.mask)],
    weak: side(0),
    strong: side(1),
  };
}

const softmaxOf = (z: number[]) => {
  const e = z.map(Math.exp);
  return e.map((value) => value / e.reduce((a, b) => a + b));
};

describe("the loss of unlabelled pictures", () => {
  test.each([
    [0.95, [1, 0, 0], 0.135869],
    [0.8, [1, 1, 0], 0.362625],
  ])("at τ %f", async (threshold, mask, loss) => {
    for (const open of [sharedDevice, plainDevice]) {
      const found = await of({ threshold }, weak, strong, open);
      expect(found.mask).toEqual(mask);
      expect(found.loss).toBeCloseTo(loss, 5);
      expect(found.share).toBeCloseTo(mask.reduce((a, b) => a + b) / 3, 6);
    }
  });

  test("moves the strong view of the pictures that count, and nothing else", async () => {
    const { weak: none, strong: slopes } = await of({ threshold: 0.8, unlabelledWeight: 3 });
    expect(none).toEqual(Array(9).fill(0));
    // dL/dz = λ k_b (p − onehot) / U
    const labels = [0, 1];
    const expected = [0, 1, 2].flatMap((b) =>
      softmaxOf(strong.slice(3 * b, 3 * b + 3)).map((p, c) => (b < 2 ? (3 * (p - (labels[b] === c ? 1 : 0))) / 3 : 0)),
    );
    expect(relativeError(slopes, expected)).toBeLessThan(1e-6);
  });

  test("with soft pseudo-labels is the cross-entropy with the sharpened guess", async () => {
    const { loss, weak: none } = await of({ threshold: 0.8, pseudoLabels: "soft", temperature: 0.5 });
    const expected = [0, 1].reduce((sum, b) => {
      const t = softmaxOf(weak.slice(3 * b, 3 * b + 3).map((z) => 2 * z));
      const p = softmaxOf(strong.slice(3 * b, 3 * b + 3));
      return sum - t.reduce((s, share, c) => s + share * Math.log(p[c]!), 0);
    }, 0);
    expect(loss).toBeCloseTo(expected / 3, 5);
    expect(none).toEqual(Array(9).fill(0));
  });

  test("halves when as many pictures are added of which nothing is sure", async () => {
    const one = await of({ threshold: 0.8 });
    const unsure = [0.2, 0.1, 0, 0, 0, 0, 0.1, 0.2, 0.3];
    const two = await of({ threshold: 0.8 }, [...weak, ...unsure], [...strong, ...strong]);
    expect(two.loss).toBeCloseTo(one.loss / 2, 6);
  });

  test("a tie goes to the first level, a share at the threshold counts, NaN counts for nothing", async () => {
    const even = [0, 0, 0];
    const tie = await of({ threshold: 0.33 }, even, [1, 2, 3]);
    expect(tie.mask).toEqual([1]);
    expect(tie.loss).toBeCloseTo(-Math.log(softmaxOf([1, 2, 3])[0]!), 5);
    expect((await of({ threshold: 0 }, even, even)).mask).toEqual([1]);
    expect((await of({ threshold: 1 }, [100, 0, 0], even)).mask).toEqual([1]);
    expect((await of({}, [Number.NaN, 0, 0], even)).mask).toEqual([0]);
  });
});

test("the loss of the labelled pictures, and agreement", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const logits = Tensor.from(device, [2, 0, -1, 0.5, 1.5, 0], [2, 3]);
    const target = Tensor.from(device, [1, 0, 0, 0, 1, 0], [2, 3]);
    const mask = Tensor.from(device, [1, 1], [2]);
    const wrong = Tensor.from(device, [2, 0, -1, 1.5, 0.5, 0], [2, 3]);
    return {
      loss: weightedMean(softCrossEntropy(logits, target), mask).item(),
      same: consistencyLoss(logits, { target, mask }, 2).item(),
      whole: agreement(logits, { target, mask }, 2).item(),
      half: agreement(wrong, { target, mask }, 2).item(),
      sum: softmax(logits).read(),
    };
  });
  expect(await reads.loss).toBeCloseTo(0.317107, 5);
  expect(await reads.same).toBe(await reads.loss);
  expect([await reads.whole, await reads.half]).toEqual([1, 0.5]);
});

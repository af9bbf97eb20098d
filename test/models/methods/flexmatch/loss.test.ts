import { describe, expect, test } from "bun:test";
import { Tensor } from "../../../../engine/tensor.ts";
import { type FlexMatchState, flexMatchState, unlabelledLoss } from "../../../../models/methods/flexmatch/loss.ts";
import { taken } from "../../../../models/methods/parts/consistency.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { lossOf, softmaxRows, strong, weak } from "../parts/logits.ts";

const fixed = { threshold: 0.8, thresholdWarmUp: true, unlabelledWeight: 1 };

async function step(state: FlexMatchState, pictures: number[], given = {}, options: Partial<typeof fixed> = {}) {
  const device = await sharedDevice();
  return lossOf(device, given, ({ weak, strong }) => {
    const places = Tensor.from(device, Uint32Array.from(pictures), [pictures.length]);
    return unlabelledLoss(weak, strong, places, state, { ...fixed, ...options });
  });
}

/** Last guesses, −1 for none. */
async function guessesOf(state: FlexMatchState): Promise<number[]> {
  const { tensor } = state.tensors()[0]!;
  const values = [...(await tensor.read())];
  const [rows, columns] = tensor.shape as readonly [number, number];
  return Array.from({ length: rows }, (_, row) => {
    const own = values.slice(row * columns, (row + 1) * columns);
    expect(own.toSorted()).toEqual([...Array(columns - 1).fill(0), 1]);
    return own.indexOf(1) - 1;
  });
}

/** What a step has as thresholds by the last guesses, by hand. */
function thresholds(last: number[], tau: number, warmUp: boolean): number[] {
  const count = (label: number) => last.filter((each) => each === label).length;
  const counts = [0, 1, 2].map(count);
  const most = Math.max(...counts, warmUp ? count(-1) : 0, 1);
  return counts.map((n) => (tau * (n / most)) / (2 - n / most));
}

describe("the loss of unlabelled pictures", () => {
  test("takes every guess at first, and keeps those that are confident", async () => {
    const state = flexMatchState(await sharedDevice(), 6, 3);
    const { loss, figures, weak: none, strong: slopes } = await step(state, [4, 0, 2]);
    expect(figures[taken]).toBe(1);
    // That of FreeMatch in its first step, where all counts too.
    expect(loss).toBeCloseTo(0.775902, 5);
    expect(await guessesOf(state)).toEqual([1, -1, -1, -1, 0, -1]);
    expect(none).toEqual(Array(9).fill(0));
    const targets = [0, 1, 0];
    const expected = softmaxRows(strong).flatMap((p, b) =>
      p.map((share, c) => (share - (c === targets[b] ? 1 : 0)) / 3),
    );
    expect(relativeError(slopes, expected)).toBeLessThan(1e-6);
  });

  test.each([true, false])("goes by how often each class was guessed, warm-up %p", async (thresholdWarmUp) => {
    const state = flexMatchState(await sharedDevice(), 5, 3);
    const steps: [pictures: number[], weak: number[]][] = [
      [[0, 1, 2], weak],
      [
        [3, 4, 0],
        [0, 4, 0, 5, 0, 0, 0, 0.9, 0.8],
      ],
      [
        [2, 0, 4],
        [0, 0.3, 0, 0, 3, 0, 0, 4, 0],
      ],
      [
        [1, 2, 3],
        [0, 1.5, 0, 0.2, 0, 0.1, 0.5, 0, 0],
      ],
    ];
    let last = await guessesOf(state);
    const shares = new Set<number>();
    for (const [pictures, logits] of steps) {
      const { figures } = await step(state, pictures, { weak: logits }, { thresholdWarmUp });
      const expected = thresholds(last, 0.8, thresholdWarmUp);
      expect(
        relativeError(
          [1, 2, 3].map((c) => figures[`threshold, class ${c}`]!),
          expected,
        ),
      ).toBeLessThan(1e-6);
      const q = softmaxRows(logits);
      const label = q.map((row) => row.indexOf(Math.max(...row)));
      const count = q.filter((row, b) => Math.max(...row) >= expected[label[b]!]!).length;
      expect(figures[taken]).toBeCloseTo(count / 3, 6);
      shares.add(count);
      last = last.map((before, picture) => {
        const b = pictures.indexOf(picture);
        return b >= 0 && Math.max(...q[b]!) >= 0.8 ? label[b]! : before;
      });
      expect(await guessesOf(state)).toEqual(last);
    }
    expect(shares.size).toBeGreaterThan(1);
  });

  test("halves when as many pictures are added of which nothing is sure", async () => {
    const device = await sharedDevice();
    // One last guess for each class: every threshold is τ.
    const even = async () => {
      const state = flexMatchState(device, 3, 3);
      await step(state, [0, 1, 2], { weak: [9, 0, 0, 0, 9, 0, 0, 0, 9] });
      return state;
    };
    const one = await step(await even(), [0, 1, 2]);
    expect(one.loss).toBeCloseTo(0.362625, 5);
    const unsure = [0.2, 0.1, 0, 0, 0, 0, 0.1, 0.2, 0.3];
    const given = { weak: [...weak, ...unsure], strong: [...strong, ...strong] };
    const two = await step(await even(), [0, 1, 2, 0, 1, 2], given);
    expect(two.loss).toBeCloseTo(one.loss / 2, 6);
  });

  test("NaN does not count and is kept by none", async () => {
    const state = flexMatchState(await sharedDevice(), 3, 3);
    const { figures } = await step(state, [0, 1, 2], { weak: weak.with(0, Number.NaN) });
    expect(figures[taken]).toBeCloseTo(2 / 3, 6);
    expect(await guessesOf(state)).toEqual([-1, 1, -1]);
  });
});

import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { alignedScores, distance, RankAlignment } from "../../../../models/methods/rankup/rank-alignment.ts";
import type { HostArray, StepPlace } from "../../../../models/training/method.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";

const labels = [0.9, 0.1, 0.4, 0.2];
const options = { rdaWeight: 2, rdaEvery: 100, rdaRamp: 0.4, epochs: 4 };
const place = (step: number): StepPlace => ({ step, steps: 80, epoch: Math.floor(step / 20) });

const open = async (more: Partial<typeof options> = {}, pictures = 6) =>
  new RankAlignment(await sharedDevice(), pictures, labels, { ...options, ...more });

/** A step on scores of such pictures. */
async function step(aligned: RankAlignment, pictures: number[], scores: number[], at: StepPlace) {
  await aligned.beforeStep(at);
  const targets = aligned.targets(pictures, at);
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, scores, [scores.length, 1]);
    x.requiresGradient = true;
    const on = ({ data, shape }: HostArray) => Tensor.from(device, data, shape);
    const given = Object.fromEntries(Object.entries(targets).map(([name, target]) => [name, on(target as HostArray)]));
    const { loss, figures } = aligned.loss(x, given);
    backward(loss);
    return { loss: loss.item(), distance: figures![distance]!.item(), slopes: x.gradient!.read() };
  });
  return { loss: await reads.loss, distance: await reads.distance, slopes: [...(await reads.slopes)] };
}

/** The quantile function of the labels, by hand: 0.1, 0.2, 0.4, 0.9 at 0, ⅓, ⅔, 1. */
function quantileByHand(share: number): number {
  const sorted = [0.1, 0.2, 0.4, 0.9];
  for (let i = 0; i < 3; i++)
    if (share <= (i + 1) / 3) return sorted[i]! + (share * 3 - i) * (sorted[i + 1]! - sorted[i]!);
  throw new Error("beyond 1");
}

describe("scores by rank", () => {
  const sorted = Float64Array.from(labels).sort();
  const pairs = (scores: (number | undefined)[]) =>
    scores.flatMap((score) => [score ?? 0, score === undefined ? 0 : 1]);

  test("are the labels' quantiles, of those that have a score", () => {
    const found = alignedScores(pairs([0.7, undefined, -3, 0.5, 0.6, 8]), sorted);
    const expected = [3 / 4, undefined, 0, 1 / 4, 2 / 4, 1].map((share) =>
      share === undefined ? Number.NaN : Math.fround(quantileByHand(share)),
    );
    expect([...found]).toEqual(expected);
    // As many as labels: the labels themselves.
    expect([...alignedScores(pairs([3, 1, 2, 0]), sorted)]).toEqual([0.9, 0.2, 0.4, 0.1].map(Math.fround));
  });

  test("of equal predictions are equal, and of one alone the median", () => {
    const found = alignedScores(pairs([1, 1, 0]), sorted);
    expect(found[0]).toBe(found[1]!);
    expect(found[0]).toBeCloseTo(quantileByHand(0.75), 6);
    expect(alignedScores(pairs([undefined, 5]), sorted)[1]).toBeCloseTo(0.3, 6);
    expect([...alignedScores(pairs([undefined]), sorted)]).toEqual([Number.NaN]);
  });
});

describe("the loss of aligned scores", () => {
  test("begins with the second epoch, grows to its weight, and counts pictures that have been seen", async () => {
    using _ = await disposing(await open());
    const aligned = _.value;
    const first = await step(aligned, [0, 1, 2], [0.3, 0.6, 0.45], place(0));
    expect([first.loss, first.distance, ...first.slopes]).toEqual([0, 0, 0, 0, 0]);
    await step(aligned, [3, 1], [0.5, 0.2], place(1));
    // The latest scores, 0.3, 0.2, 0.45, 0.5 of pictures 0 to 3, are at ranks 1, 0, 2, 3; pictures 4 and 5 have none.
    const scores = [0.35, 0.6, 0.1];
    const { loss, distance, slopes } = await step(aligned, [0, 4, 3], scores, place(20));
    const weight = (2 * 20) / (0.4 * 80);
    const off = [scores[0]! - 0.2, 0, scores[2]! - 0.9];
    expect(loss).toBeCloseTo((weight * (off[0]! ** 2 + off[2]! ** 2)) / 3, 6);
    expect(distance).toBeCloseTo((0.15 + 0.8) / 2, 6);
    const expected = off.map((value) => (2 * weight * value) / 3);
    expect(relativeError(slopes, expected)).toBeLessThan(1e-6);
    // From 0.4 T on the weight is whole.
    const later = await step(aligned, [0], [0.5], place(39));
    expect(later.loss).toBeCloseTo(2 * (0.5 - 0.2) ** 2, 6);
  });

  test("ranks anew before each epoch and every so many steps, not between", async () => {
    using _ = await disposing(await open({ rdaEvery: 8, rdaRamp: 0 }));
    const aligned = _.value;
    await step(aligned, [0, 1], [0.1, 0.9], place(0));
    const target = async (at: number) => {
      await aligned.beforeStep(place(at));
      return aligned.targets([0], place(at)).aligned!.data[0]!;
    };
    const ends = [0.1, 0.9].map(Math.fround);
    expect(await target(20)).toBe(ends[0]!);
    await step(aligned, [0, 1], [0.8, 0.2], place(21));
    expect(await target(23)).toBe(ends[0]!);
    expect(await target(24)).toBe(ends[1]!);
    await step(aligned, [0, 1], [0.1, 0.2], place(25));
    expect(await target(31)).toBe(ends[1]!);
    // A step may be left out, its pictures being broken.
    expect(await target(33)).toBe(ends[0]!);
    await step(aligned, [0, 1], [0.5, 0.2], place(34));
    expect(await target(39)).toBe(ends[0]!);
    expect(await target(40)).toBe(ends[1]!);
  });

  test("goes on from the arrays of a checkpoint, and keeps no score that is not a number", async () => {
    using _ = await disposing(await open());
    await step(_.value, [0, 1, 2], [0.1, Number.NaN, 0.3], place(0));
    await _.value.beforeStep(place(20));
    const arrays = _.value.arrays();
    expect([...arrays["rankup.aligned"]!.data]).toEqual([0.1, NaN, 0.9, NaN, NaN, NaN].map(Math.fround));
    using other = await disposing(await open());
    await other.value.restore(async (name) => arrays[name]?.data);
    expect(other.value.targets([0, 1, 2], place(23))).toEqual(_.value.targets([0, 1, 2], place(23)));
    // Its own scores are none, which it does not look at before the next ranking.
    await other.value.beforeStep(place(23));
    expect(other.value.arrays()).toEqual(arrays);
  });
});

async function disposing<Value extends { dispose(): void }>(value: Value) {
  return { value, [Symbol.dispose]: () => value.dispose() };
}

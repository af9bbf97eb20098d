import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { agreed, taken } from "../../../../models/methods/parts/consistency.ts";
import { inOrder, pairLoss, pairTargets } from "../../../../models/methods/rankup/pairs.ts";
import { relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { differences } from "../parts/logits.ts";

const labelled = [0.2, -0.1, 0.5, 0.4, -0.3, 0.6];
const scores = [3, 1, 3];
/** Second less first: 4, −1, 0.5, 0 — the logits of pairs differ by 5, 4, 3.5, 1.5, 1, 0.5. The strong views order the last three otherwise. */
const weak = [2, -2, -0.5, 0.5, 0.3, -0.2, 0.5, 0.5];
const strong = [1, 0.2, 0.1, -0.4, 0.3, 0.9, -0.6, 0.2];

const off = { threshold: 1, unlabelledWeight: 1 };

async function lossOf(
  given: { labelled?: number[] | null; scores?: number[]; weak?: number[]; strong?: number[] } = {},
  options = off,
) {
  const device = await sharedDevice();
  const numbers = { scores, weak, strong, ...given, labelled: given.labelled ?? labelled };
  const reads = device.scope(() => {
    const make = (values: number[]) => {
      const tensor = Tensor.from(device, values, [values.length / 2, 2]);
      tensor.requiresGradient = true;
      return tensor;
    };
    const [a, u, s] = [make(numbers.labelled), make(numbers.weak), make(numbers.strong)];
    const { order, unlike } = pairTargets(numbers.scores);
    const on = ({ data, shape }: typeof order) => Tensor.from(device, data, shape);
    const known = given.labelled === null ? undefined : { a, order: on(order), unlike: on(unlike) };
    const { loss, figures = {} } = pairLoss(known, u, s, options);
    backward(loss);
    return {
      loss: loss.item(),
      figures: Object.entries(figures).map(async ([name, tensor]) => [name, await tensor.item()] as const),
      gradients: [a, u, s].map((tensor) => tensor.gradient?.read() ?? Promise.resolve(new Float32Array(tensor.size))),
    };
  });
  const gradients = await Promise.all(reads.gradients);
  const [byLabelled, byWeak, byStrong] = gradients.map((values) => [...values]);
  return {
    loss: await reads.loss,
    figures: Object.fromEntries(await Promise.all(reads.figures)) as Record<string, number>,
    ...{ byLabelled, byWeak, byStrong },
  };
}

/** −ln of the shares of the first and the second class of pair (i, j), by hand. */
function costs(a: readonly number[], i: number, j: number): [number, number] {
  const [first, second] = [a[2 * j]! - a[2 * i]!, a[2 * j + 1]! - a[2 * i + 1]!];
  const total = Math.log(Math.exp(first) + Math.exp(second));
  return [total - first, total - second];
}

/** The loss by hand, in float64. */
function byHand(x: { labelled: number[]; strong: number[] }, y: number[], w: number[], tau: number, lambda: number) {
  let sum = 0;
  for (let i = 0; i < y.length; i++)
    for (let j = 0; j < y.length; j++) {
      const t = y[j]! > y[i]! ? 1 : y[j]! < y[i]! ? 0 : 0.5;
      const [first, second] = costs(x.labelled, i, j);
      sum += (t * first + (1 - t) * second) / y.length ** 2;
    }
  const u = w.length / 2;
  for (let i = 0; i < u; i++)
    for (let j = 0; j < u; j++) {
      const least = costs(w, i, j);
      const sure = least[0] <= least[1] ? 0 : 1;
      if (Math.exp(-least[sure]) >= tau) sum += (lambda * costs(x.strong, i, j)[sure]) / u ** 2;
    }
  return sum;
}

describe("the ranking loss", () => {
  test("is 0.847645 for the three labelled pictures of the published example, of which two are equal", async () => {
    const { loss, figures, byWeak, byStrong } = await lossOf();
    expect(loss).toBeCloseTo(0.847645, 6);
    expect(figures[taken]).toBe(0);
    // (1 → 2) and (2 → 3) are unlike, each in both directions: a_2 − a_1 = (.3, .5) says "worse", rightly; (−.8, .2) "worse", wrongly.
    expect(figures[inOrder]).toBeCloseTo(0.5, 6);
    expect([...byWeak!, ...byStrong!]).toEqual(Array(16).fill(0));
  });

  test("gives equal pictures one half each, and the pair of a picture with itself ln 2 without a gradient", async () => {
    expect([...pairTargets(scores).order.data]).toEqual([
      ...[0.5, 0.5, 0, 1, 0.5, 0.5],
      ...[1, 0, 0.5, 0.5, 1, 0],
      ...[0.5, 0.5, 0, 1, 0.5, 0.5],
    ]);
    expect([...pairTargets([2, 2]).unlike.data]).toEqual([0, 0, 0, 0]);
    const alone = await lossOf({ labelled: [3, -7], scores: [5] });
    expect(alone.loss).toBeCloseTo(Math.LN2, 6);
    expect(alone.byLabelled).toEqual([0, 0]);
    // Where every order is sure and right, ln 2 / n is left.
    const sure = await lossOf({ labelled: [0, 0, 60, 0, 120, 0, 180, 0], scores: [1, 2, 3, 4] });
    expect(sure.loss).toBeCloseTo(Math.LN2 / 4, 6);
    expect(sure.byLabelled!.every((slope) => Math.abs(slope) < 1e-6)).toBe(true);
    expect(sure.figures[inOrder]).toBeCloseTo(1, 6);
  });

  test("takes unlabelled pairs that weak views are sure of, over all pairs, and none from 1 on", async () => {
    // σ(3.5) = 0.971, σ(1.5) = 0.818, σ(1) = 0.731, σ(0.5) = 0.622; each pair in both directions.
    for (const [threshold, count] of [
      [0.95, 6],
      [0.8, 8],
      [0.7, 10],
      [1, 0],
    ] as const) {
      const { loss, figures, byWeak } = await lossOf({}, { threshold, unlabelledWeight: 2 });
      expect(figures[taken]).toBeCloseTo(count / 16, 6);
      expect(loss).toBeCloseTo(byHand({ labelled, strong }, scores, weak, threshold, 2), 5);
      expect(byWeak).toEqual(Array(8).fill(0));
    }
    // That with 1.5 is the other way round by the strong views.
    const { figures } = await lossOf({}, { threshold: 0.8, unlabelledWeight: 2 });
    expect(figures[agreed]).toBeCloseTo(6 / 16, 6);
  });

  test("has the gradient of differences", async () => {
    const tau = 0.8;
    const { byLabelled, byStrong } = await lossOf({}, { threshold: tau, unlabelledWeight: 2 });
    const ofLabelled = differences((x) => byHand({ labelled: x, strong }, scores, weak, tau, 2), labelled);
    const ofStrong = differences((x) => byHand({ labelled, strong: x }, scores, weak, tau, 2), strong);
    expect(relativeError(byLabelled!, ofLabelled)).toBeLessThan(1e-5);
    expect(relativeError(byStrong!, ofStrong)).toBeLessThan(1e-5);
  });

  test("is the same with a constant added to all, and without labelled pictures that of the others alone", async () => {
    const options = { threshold: 0.8, unlabelledWeight: 1 };
    const moved = (values: number[]) => values.map((value, i) => value + (i % 2 === 0 ? 0.25 : -0.5));
    const [one, other] = [
      await lossOf({}, options),
      await lossOf({ labelled: moved(labelled), weak: moved(weak), strong: moved(strong) }, options),
    ];
    expect(other.loss).toBeCloseTo(one.loss, 5);
    const none = await lossOf({ labelled: null }, options);
    expect(none.loss).toBeCloseTo(one.loss - 0.847645, 5);
  });
});

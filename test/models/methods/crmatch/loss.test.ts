import { afterAll, describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { Random } from "../../../../engine/random.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { type CrMatchOptionsInput, crMatch } from "../../../../models/methods/crmatch/index.ts";
import { cosine, distance, distanceLoss, told, turnLoss } from "../../../../models/methods/crmatch/loss.ts";
import { agreed, taken } from "../../../../models/methods/parts/consistency.ts";
import type { BatchRows, PartRows, PhaseContext, PhaseRun } from "../../../../models/training/method.ts";
import { relativeError } from "../../../engine/check.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";
import { differences, labelled, softmaxRows, strong, weak } from "../parts/logits.ts";

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((value, i) => value * b[i]!));
const cos = (a: readonly number[], b: readonly number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
const rowsOf = (values: readonly number[], length: number) =>
  Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));

/** A loss of tensors [n, length], its figures and its slopes by each. */
async function lossOf(
  given: readonly (readonly number[])[],
  length: number,
  run: (tensors: readonly Tensor[]) => ReturnType<typeof distanceLoss>,
  open = sharedDevice,
) {
  const device = await open();
  const reads = device.scope(() => {
    const tensors = given.map((values) => {
      const tensor = Tensor.from(device, [...values], [values.length / length, length]);
      tensor.requiresGradient = true;
      return tensor;
    });
    const { loss, figures = {} } = run(tensors);
    backward(loss);
    return {
      loss: loss.item(),
      figures: Object.entries(figures).map(async ([name, tensor]) => [name, await tensor.item()]),
      slopes: tensors.map(({ gradient, size }) => gradient?.read() ?? Promise.resolve(new Float32Array(size))),
    };
  });
  return {
    loss: await reads.loss,
    figures: Object.fromEntries(await Promise.all(reads.figures)) as Record<string, number>,
    slopes: (await Promise.all(reads.slopes)).map((slope) => [...slope]),
  };
}

describe("the feature distance", () => {
  const ofWeak = [2, 1, -1, 1, 0, 2];
  const ofStrong = [1, 2, 1, 0, 0, 1];
  const of = (
    w: readonly number[],
    s: readonly number[],
    mask: number[],
    d = 2,
    size = mask.length,
    open = sharedDevice,
  ) =>
    lossOf(
      [w, s],
      d,
      ([w, s]) => distanceLoss(w!, s!, { mask: Tensor.from(w!.device, mask, [mask.length]) }, size),
      open,
    );

  test("is the cosine where a guess counts and views agree more than a right angle", async () => {
    for (const open of [sharedDevice, plainDevice]) {
      const { loss, figures } = await of(ofWeak, ofStrong, [1, 1, 0], 2, 3, open);
      expect(loss).toBeCloseTo(0.266667, 5);
      expect(figures[distance]).toBe(loss);
      expect(figures[cosine]).toBeCloseTo((0.8 - Math.SQRT1_2 + 1) / 3, 5);
      expect((await of(ofWeak, ofStrong, [1, 0, 1], 2, 3, open)).loss).toBeCloseTo(0.6, 5);
    }
  });

  test("moves both views apart, by the slopes of the cosine", async () => {
    const d = 5;
    const values = (seed: number) => Array.from({ length: 4 * d }, (_, i) => Math.sin(seed + i * i * 0.37) + 0.4);
    const [w, s] = [values(1), values(2).map((value, i) => (i < d ? -value : value))];
    const mask = [1, 1, 0, 1];
    const reference = (w: readonly number[], s: readonly number[]) =>
      sum(rowsOf(w, d).map((row, b) => mask[b]! * Math.max(0, cos(row, rowsOf(s, d)[b]!)))) / 6;
    const found = await of(w, s, mask, d, 6);
    expect(found.loss).toBeCloseTo(reference(w, s), 6);
    const expected = [differences((x) => reference(x, s), w), differences((x) => reference(w, x), s)];
    expect(relativeError(found.slopes.flat(), expected.flat())).toBeLessThan(1e-4);
    expect(found.slopes.every((slopes) => slopes.some((slope) => slope !== 0))).toBe(true);
    // What does not count has no part, to the bit.
    for (const slopes of found.slopes) expect(slopes.slice(2 * d, 3 * d)).toEqual(Array(d).fill(0));
  });

  test("between views that are the same is the share taken, and moves nothing", async () => {
    const { loss, slopes } = await of(ofWeak, ofWeak, [1, 1, 0]);
    expect(loss).toBeCloseTo(2 / 3, 6);
    for (const slope of slopes.flat()) expect(Math.abs(slope)).toBeLessThan(1e-6);
  });

  test("halves when as many pictures are added of which nothing is sure", async () => {
    const { loss } = await of([...ofWeak, ...ofWeak], [...ofStrong, ...ofWeak], [1, 1, 0, 0, 0, 0]);
    expect(loss).toBeCloseTo(0.266667 / 2, 5);
  });

  test("with a feature of 0 is 0, and moves nothing", async () => {
    const { loss, slopes } = await of([0, 0], [1, 2], [1]);
    expect(loss).toBe(0);
    expect(slopes.flat().map(Math.abs)).toEqual([0, 0, 0, 0]);
  });
});

describe("the turns", () => {
  const numbers = new Random(1, "turns");
  const logits = Array.from({ length: 2 * 4 * 4 }, (_, i) => (i % 20 === 0 ? 4 : 2 * numbers.normal()));
  const reference = (z: readonly number[], size: number) =>
    sum(rowsOf(z, 4).map((row, i) => Math.log(sum(row.map(Math.exp))) - row[i % 4]!)) / (4 * size);

  test("are learnt in the mean over all views, by the slopes of the cross-entropy", async () => {
    const { loss, figures, slopes } = await lossOf([logits], 4, ([z]) => turnLoss(z!, 3));
    expect(loss).toBeCloseTo(reference(logits, 3), 5);
    expect(
      relativeError(
        slopes[0]!,
        differences((z) => reference(z, 3), logits),
      ),
    ).toBeLessThan(1e-4);
    const right = rowsOf(logits, 4).filter((row, i) => row.indexOf(Math.max(...row)) === i % 4);
    expect(right.length).toBeGreaterThan(0);
    expect(figures[told]).toBeCloseTo(right.length / 12, 6);
  });

  test("of which nothing is known cost ln 4, and those that are known nothing", async () => {
    expect((await lossOf([Array(16).fill(0.3)], 4, ([z]) => turnLoss(z!, 1))).loss).toBeCloseTo(Math.log(4), 5);
    const sure = Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 60 : 0));
    const { loss, figures } = await lossOf([sure], 4, ([z]) => turnLoss(z!, 1));
    expect(loss).toBeCloseTo(0, 6);
    expect(figures[told]).toBe(1);
  });
});

/** A batch of two labelled pictures, three unlabelled ones, of which the first two are sure, and two further ones; features of length d. */
const d = 3;
const settings = { levels: 3, threshold: 0.8, seed: 4, rotationBatch: 2 } satisfies CrMatchOptionsInput;
const interleaved = rowsOf(weak, 3).flatMap((row, i) => [...row, ...rowsOf(strong, 3)[i]!]);
const batchLogits = [...labelled, ...interleaved, ...Array<number>(24).fill(0)];
const random = new Random(3, "features");
/** Features of two views of a picture that are somewhat alike. */
const alike = () => {
  const shared = Array.from({ length: d }, () => random.normal());
  return [0, 1].flatMap(() => shared.map((value) => value + 0.1 * random.normal()));
};
const batchFeatures = Array.from({ length: 8 }, alike).flat();
const part = (row: number, views: number, size: number, first = 0, count = size): PartRows => ({
  ...{ row, first, count, size, views },
});
const whole: BatchRows = {
  ranked: part(0, 2, 0),
  labelled: part(0, 1, 2),
  unlabelled: part(2, 2, 3),
  further: part(8, 4, 2),
};

const begun: PhaseRun[] = [];
afterAll(() => {
  for (const run of begun) run.dispose!();
});

async function begin(more: CrMatchOptionsInput = {}): Promise<PhaseRun> {
  const options = crMatch.options({ ...settings, ...more });
  const model = { device: await sharedDevice(), featureLength: d };
  const labels = Float32Array.of(1, 0, 0, 0, 1, 0);
  const run = crMatch.phases(options)[0]!.begin({ model, labels } as unknown as PhaseContext);
  begun.push(run);
  return run;
}

/** Loss, figures, and slopes by the logits and features of a batch, or of some rows of it. */
function ofBatch(
  run: PhaseRun,
  rows = whole,
  z: readonly number[] = batchLogits,
  h: readonly number[] = batchFeatures,
) {
  const planned = [0, 1].map((index) => ({ part: "labelled", index }));
  const targets = run.targets(planned as never, { step: 0, steps: 1, epoch: 0 });
  return lossOf([z, h], 3, ([logits, feature]) => {
    const made = Object.entries(targets).map(([name, { data, shape }]) => [
      name,
      Tensor.from(logits!.device, data, shape),
    ]);
    return run.loss({ logits, feature } as never, Object.fromEntries(made), rows, logits!);
  });
}

/** L_x, L_u, L_d and L_r of the batch in float64, with the weights of the heads. */
async function referenceOf(run: PhaseRun) {
  const read = async ({ name, tensor }: ReturnType<NonNullable<PhaseRun["modules"]>>[0]) =>
    [name, [...(await tensor.read())]] as const;
  const weights = Object.fromEntries(await Promise.all(run.modules!().map(read)));
  const layer = (name: string, x: readonly number[]) => {
    const [weight, bias] = [weights[`crmatch.${name}.weight`]!, weights[`crmatch.${name}.bias`]!];
    return bias.map((b, out) => b + sum(x.map((value, i) => value * weight[i * bias.length + out]!)));
  };
  const entropy = (z: readonly number[], c: number) => -Math.log(softmaxRows(z)[0]![c]!);
  const row = (values: readonly number[], i: number) => values.slice(3 * i, 3 * i + 3);
  return (z: readonly number[], h: readonly number[]) => {
    const g = (i: number) => layer("distance.0", row(h, i));
    const turn = (i: number) =>
      layer(
        "turn.1",
        layer("turn.0", row(h, i)).map((x) => Math.max(0, x)),
      );
    const logits = Array.from({ length: 8 }, (_, i) => turn(8 + i));
    return {
      labels: (entropy(row(z, 0), 0) + entropy(row(z, 1), 1)) / 2,
      guesses: (entropy(row(z, 3), 0) + entropy(row(z, 5), 1)) / 3,
      distance: (Math.max(0, cos(g(3), g(2))) + Math.max(0, cos(g(5), g(4)))) / 3,
      turns: sum(logits.map((z, i) => Math.log(sum(z.map(Math.exp))) - z[i % 4]!)) / 8,
      told: logits.filter((z, i) => z.indexOf(Math.max(...z)) === i % 4).length / 8,
    };
  };
}

describe("the loss of a batch", () => {
  test("is that of labels, guesses, distances and turns, by their weights", async () => {
    const more = { unlabelledWeight: 0.7, featDistWeight: 3, rotationWeight: 0.4 };
    const run = await begin(more);
    const reference = await referenceOf(run);
    const total = (z: readonly number[], h: readonly number[]) => {
      const { labels, guesses, distance, turns } = reference(z, h);
      return labels + 0.7 * guesses + 3 * distance + 0.4 * turns;
    };
    const { loss, figures, slopes } = await ofBatch(run);
    const expected = reference(batchLogits, batchFeatures);
    expect(expected.distance).toBeGreaterThan(0.05);
    expect(expected.guesses).toBeCloseTo(0.362625, 5);
    expect(loss).toBeCloseTo(total(batchLogits, batchFeatures), 5);
    expect(figures[distance]).toBeCloseTo(expected.distance, 5);
    expect(figures[told]).toBeCloseTo(expected.told, 6);
    expect(figures[taken]).toBeCloseTo(2 / 3, 6);
    expect(figures[agreed]).toBeCloseTo(2 / 3, 6);
    const byLogits = differences((z) => total(z, batchFeatures), batchLogits);
    // Guesses have no gradient: slopes by weak views are none.
    expect(relativeError(slopes[0]!, byLogits)).toBeLessThan(1e-4);
    for (const view of [2, 4, 6]) expect(slopes[0]!.slice(3 * view, 3 * view + 3)).toEqual([0, 0, 0]);
    const byFeatures = differences((h) => total(batchLogits, h), batchFeatures);
    expect(relativeError(slopes[1]!, byFeatures)).toBeLessThan(1e-4);
  });

  test("moves the features of weak views, too, unless the strong ones alone are to learn", async () => {
    const [both, alone] = [await begin(), await begin({ featDistGrad: "strong" })];
    const [found, strongOnly] = [await ofBatch(both), await ofBatch(alone)];
    expect(strongOnly.loss).toBe(found.loss);
    const row = (slopes: number[], i: number) => slopes.slice(d * i, d * (i + 1));
    for (const view of [2, 4]) expect(Math.max(...row(found.slopes[1]!, view).map(Math.abs))).toBeGreaterThan(1e-3);
    for (const view of [2, 4, 6]) expect(row(strongOnly.slopes[1]!, view).map(Math.abs)).toEqual([0, 0, 0]);
    for (const view of [3, 5, 8, 15]) expect(row(strongOnly.slopes[1]!, view)).toEqual(row(found.slopes[1]!, view));
  });

  test("adds up over parts of it, of which some have no unlabelled or no further pictures", async () => {
    const run = await begin();
    const [none, gone] = [part(0, 1, 2, 2, 0), part(0, 2, 3, 3, 0)];
    const cut: { from: number; to: number; rows: BatchRows }[] = [
      { from: 0, to: 4, rows: { ...whole, unlabelled: part(2, 2, 3, 0, 1), further: part(4, 4, 2, 0, 0) } },
      {
        from: 4,
        to: 12,
        rows: { ...whole, labelled: none, unlabelled: part(0, 2, 3, 1, 2), further: part(4, 4, 2, 0, 1) },
      },
      { from: 12, to: 16, rows: { ...whole, labelled: none, unlabelled: gone, further: part(0, 4, 2, 1, 1) } },
    ];
    const found = await ofBatch(run);
    const parts = [];
    for (const { from, to, rows } of cut)
      parts.push(await ofBatch(run, rows, batchLogits.slice(3 * from, 3 * to), batchFeatures.slice(d * from, d * to)));
    expect(sum(parts.map(({ loss }) => loss))).toBeCloseTo(found.loss, 5);
    for (const name of [taken, agreed, cosine, distance, told])
      expect(sum(parts.map(({ figures }) => figures[name] ?? 0))).toBeCloseTo(found.figures[name]!, 5);
    for (const by of [0, 1])
      expect(
        relativeError(
          parts.flatMap(({ slopes }) => slopes[by]!),
          found.slopes[by]!,
        ),
      ).toBeLessThan(1e-5);
  });

  test("of guesses and distances halves when as many pictures are added of which nothing is sure", async () => {
    const run = await begin({ rotationBatch: 0 });
    const alone = { ...whole, labelled: part(0, 1, 0), further: part(0, 4, 0) };
    const [z, h] = [interleaved, batchFeatures.slice(0, 6 * d)];
    const once = await ofBatch(run, { ...alone, unlabelled: part(0, 2, 3) }, z, h);
    const unsure = z.map((value, i) => (Math.floor(i / 3) % 2 === 0 ? 0.1 : value));
    const twice = await ofBatch(run, { ...alone, unlabelled: part(0, 2, 6) }, [...z, ...unsure], [...h, ...h]);
    expect(once.loss).toBeGreaterThan(0.3);
    expect(twice.loss).toBeCloseTo(once.loss / 2, 6);
    expect(once.figures).not.toContainKey(told);
  });

  test("that lost its other pictures is that of the turns", async () => {
    const run = await begin();
    const lost = { ...whole, labelled: part(0, 1, 0), unlabelled: part(0, 2, 0), further: part(0, 4, 2) };
    const { loss, figures } = await ofBatch(run, lost, batchLogits.slice(24), batchFeatures.slice(8 * d));
    const { turns } = (await referenceOf(run))(batchLogits, batchFeatures);
    expect(loss).toBeCloseTo(turns, 5);
    expect(Object.keys(figures)).toEqual([told]);
  });
});

test("the heads start within 1/√d, weights and biases alike, as the seed says", async () => {
  const read = (run: PhaseRun) => Promise.all(run.modules!().map(async ({ tensor }) => [...(await tensor.read())]));
  const [one, same, other] = [await begin(), await begin(), await begin({ seed: 5 })];
  const values = await read(one);
  expect(one.modules!().map(({ name }) => name)).toEqual(
    ["distance.0", "turn.0", "turn.1"].flatMap((layer) => [`crmatch.${layer}.weight`, `crmatch.${layer}.bias`]),
  );
  expect(values.map(({ length }) => length)).toEqual([d * d, d, d * d, d, 4 * d, 4]);
  expect(new Set(values.flat()).size).toBe(values.flat().length);
  for (const value of values.flat()) expect(Math.abs(value)).toBeLessThanOrEqual(1 / Math.sqrt(d));
  expect(Math.max(...values.flat().map(Math.abs))).toBeGreaterThan(0.8 / Math.sqrt(d));
  expect(await read(same)).toEqual(values);
  expect(await read(other)).not.toEqual(values);
});

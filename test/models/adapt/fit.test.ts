import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { AdaptableHead } from "../../../models/adapt/adaptable-head.ts";
import { auc, compare, measures } from "../../../models/adapt/compare.ts";
import { heldOut, partsOf, strengths } from "../../../models/adapt/cross-validation.ts";
import { learningCurve } from "../../../models/adapt/learning-curve.ts";
import { principalOf } from "../../../models/adapt/principal.ts";
import { prepare } from "../../../models/adapt/samples.ts";
import { shareOf, tiltFit } from "../../../models/adapt/tilt-fit.ts";
import { srcc } from "../../../models/metrics/index.ts";
import { modelOptions } from "../../../models/networks/options.ts";

const random = new Random(3, "adapt test");
const normal = () =>
  Math.sqrt(-2 * Math.log((random.integer(2 ** 24) + 1) / 2 ** 24)) *
  Math.cos((2 * Math.PI * random.integer(2 ** 24)) / 2 ** 24);
const numbers = (count: number, scale = 1) => Float32Array.from({ length: count }, () => scale * normal());

const [features, embedding, levels] = [40, 16, 20];

/** A head with drawn weights, of a kind. */
function drawnHead(kind: "distribution" | "score"): AdaptableHead {
  const outputs = kind === "score" ? 1 : levels;
  const tensors = new Map([
    ["head.norm.running_mean", numbers(features, 0.3)],
    ["head.norm.running_var", numbers(features).map((value) => 1 + value ** 2)],
    ["head.norm.weight", new Float32Array(features).fill(1)],
    ["head.norm.bias", new Float32Array(features)],
    ["head.embedding.weight", numbers(features * embedding, 0.3)],
    ["head.embedding.bias", numbers(embedding, 0.1)],
    ["head.logits.weight", numbers(embedding * outputs, kind === "score" ? 0.05 : 0.3)],
    ["head.logits.bias", kind === "score" ? Float32Array.of(0.5) : numbers(outputs, 0.1)],
  ]);
  return new AdaptableHead(
    modelOptions({ head: kind, embedding, ...(kind === "distribution" && { levels }), featureNorm: "fixed" } as never),
    tensors,
  );
}

/** Pictures whose rating follows a direction of the embedding that the head does not know, with noise. */
function rated(head: AdaptableHead, count: number, { signal = 1, noise = 0.5 } = {}) {
  const seen = Array.from({ length: count }, () => head.see(numbers(features)));
  const own = numbers(embedding);
  const raw = seen.map(
    (one) => signal * own.reduce((sum, value, i) => sum + value * one.embedding[i]!, 0) + noise * normal(),
  );
  const [low, high] = [Math.min(...raw), Math.max(...raw)];
  const targets = raw.map((value) => (value - low) / (high - low));
  return { seen, targets, groups: seen.map((_, i) => i) };
}

describe.each(["distribution", "score"] as const)("a head that gives a %s", (kind) => {
  const head = drawnHead(kind);

  test("with a tilt built in gives what the fit says", () => {
    const { seen, targets } = rated(head, 60);
    const { samples, lastLayer } = prepare(head, seen, targets);
    const weights = tiltFit(head, samples, 1e-3);
    const { direction, constant } = lastLayer(weights);
    const { weight, bias } = head.lastLayer(direction, constant);
    for (const [i, { embedding: h }] of seen.entries()) {
      const logits = Float64Array.from(bias, (start, k) =>
        h.reduce((sum, value, j) => sum + weight[k * embedding + j]! * value, start),
      );
      const { share } = head.tilted({ embedding: h, logits }, 0);
      expect(Math.min(1, Math.max(0, share))).toBeCloseTo(shareOf(head, samples[i]!, weights), 4);
    }
  });

  test("learns a taste of its pictures, and of others", () => {
    const { seen, targets, groups } = rated(head, 160);
    const { samples } = prepare(head, seen, targets);
    const before = Float64Array.from(seen, (one) => head.tilted(one, 0).share);
    const { scores } = heldOut(head, samples, groups, { repeats: 1 });
    const compared = compare(measures.srcc, { before, adapted: scores, truth: Float64Array.from(targets) }, groups);
    expect(compared.adapted).toBeGreaterThan(0.8);
    expect(compared.interval![0]).toBeGreaterThan(0);
    expect(compared.difference).toBeCloseTo(compared.adapted - compared.before, 12);
  });

  test("does not claim to learn from noise", () => {
    const { seen, targets, groups } = rated(head, 80, { signal: 0, noise: 1 });
    const { samples } = prepare(head, seen, targets);
    const before = Float64Array.from(seen, (one) => head.tilted(one, 0).share);
    const { scores } = heldOut(head, samples, groups, { repeats: 2 });
    const compared = compare(measures.srcc, { before, adapted: scores, truth: Float64Array.from(targets) }, groups);
    expect(compared.interval![0]).toBeLessThan(0);
    expect(Math.abs(compared.adapted)).toBeLessThan(0.35);
  });
});

test("a change of scale alone is found with the greatest strength", () => {
  const head = drawnHead("distribution");
  const seen = Array.from({ length: 50 }, () => head.see(numbers(features)));
  const before = seen.map((one) => head.tilted(one, 0).share);
  const { samples } = prepare(
    head,
    seen,
    before.map((share) => Math.min(1, share + 0.2)),
  );
  const weights = tiltFit(head, samples, strengths.at(-1)!);
  const errors = samples.map((sample) => Math.abs(shareOf(head, sample, weights) - sample.target));
  expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.06);
  // Nothing else is left of the fit.
  expect(Math.max(...weights.subarray(0, -2).map(Math.abs))).toBeLessThan(0.05);
});

test("principal components give rows back, of fewer rows than numbers and of more", () => {
  for (const count of [8, 40]) {
    const rows = Array.from({ length: count }, () => Float64Array.from(numbers(16)));
    const { mean, axes, coordinates, scale } = principalOf(rows, 100);
    expect(axes.length).toBe(Math.min(count - 1, 16));
    rows.forEach((row, i) => {
      const made = mean.map(
        (value, j) => value + scale * axes.reduce((sum, axis, a) => sum + axis[j]! * coordinates[i]![a]!, 0),
      );
      for (const [j, value] of made.entries()) expect(value).toBeCloseTo(row[j]!, 6);
    });
  }
});

test("pictures of a group are in one part, and parts are of like size", () => {
  const groups = Array.from({ length: 100 }, (_, i) => (i < 40 ? "shoot" : i < 60 ? `pair ${i >> 1}` : i));
  const parts = partsOf(groups, 5, "lot");
  expect(parts.flat().sort((a, b) => a - b)).toEqual(groups.map((_, i) => i));
  for (const group of new Set(groups)) {
    expect(parts.filter((part) => part.some((i) => groups[i] === group)).length).toBe(1);
  }
  expect(parts.map(({ length }) => length).sort((a, b) => a - b)).toEqual([15, 15, 15, 15, 40]);
});

test("the area under the curve counts pairs, ties by half", () => {
  expect(auc([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
  expect(auc([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
  expect(auc([1, 1, 1, 1], [0, 1, 0, 1])).toBe(0.5);
  expect(auc([1, 2, 2, 3], [0, 1, 0, 1])).toBe(0.875);
  expect(auc([1, 2], [1, 1])).toBeNaN();
});

test("a learning curve rises where there is something to learn", () => {
  const head = drawnHead("score");
  const { seen, targets, groups } = rated(head, 120);
  const { samples } = prepare(head, seen, targets);
  const { points, expected } = learningCurve(head, samples, groups, (scores) => srcc(scores, targets));
  expect(points.map(({ ratings }) => ratings)).toEqual(points.map(({ ratings }) => ratings).toSorted((a, b) => a - b));
  expect(points.at(-1)!.figure).toBeGreaterThan(points[0]!.figure);
  expect(expected.map(({ ratings }) => ratings)).toEqual([192, 384]);
  for (const { figure } of expected) expect(figure).toBeGreaterThanOrEqual(points.at(-1)!.figure);
});

import { expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { distanceOf, fitTypicality, typicalityOf } from "../../../models/trust/typicality.ts";
import golden from "../../golden/trust.json";

const { known, pictures, mean, deviation, distances } = golden.typicality;
const floats = (rows: readonly (readonly number[])[]) => rows.map((row) => Float32Array.from(row));

test("moments and distances of features are numpy's in float64", () => {
  const { tensors } = fitTypicality(floats(known));
  expect([...tensors["mean"]!.data]).toEqual(mean.map((value) => expect.closeTo(value, 6)));
  expect([...tensors["deviation"]!.data]).toEqual(deviation.map((value) => expect.closeTo(value, 6)));
  floats(pictures).forEach((feature, i) => {
    const distance = distanceOf(feature, tensors["mean"]!.data, tensors["deviation"]!.data);
    expect(distance / distances[i]!).toBeCloseTo(1, 6);
  });
});

/** Features as photographs have them: some of a kind, each a little different. */
function featuresOf(random: Random, count: number, size = 1): Float32Array[] {
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: 40 }, (_, j) => 2 + size * (j + 1) * (random.uniform() + random.uniform() - 1)),
  );
}

test("as many held-out features are marked as the words say; others are unlike; shares fall with the distance", () => {
  const random = new Random(2, "features");
  const draws = Array.from({ length: 6 }, () => fitTypicality(featuresOf(random, 800)));
  const judged = ({ facts, tensors }: (typeof draws)[number], features: Float32Array[]) =>
    features.map((feature) => typicalityOf(feature, facts, tensors));
  const held = draws.flatMap((draw) => judged(draw, featuresOf(random, 1000)));
  const marked = held.filter(({ word }) => word !== "typical").length / held.length;
  expect(marked).toBeGreaterThan(0.015);
  expect(marked).toBeLessThan(0.045);
  expect(held.filter(({ word }) => word === "unlike").length / held.length).toBeLessThan(0.02);
  expect(held.every(({ share }) => share >= 0 && share <= 1)).toBe(true);
  const mean = held.reduce((sum, { share }) => sum + share, 0) / held.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
  const [first] = draws;
  for (const { share, word } of judged(first!, featuresOf(random, 50, 3))) expect([share, word]).toEqual([0, "unlike"]);
  expect(typicalityOf(first!.tensors["mean"]!.data, first!.facts, first!.tensors)).toEqual({
    share: 1,
    word: "typical",
  });
});

test("entries that never change say nothing, and too few photographs are refused", () => {
  const random = new Random(4, "constant");
  const constant = featuresOf(random, 60).map((feature) => feature.fill(7, 0, 5));
  const { facts, tensors } = fitTypicality(constant);
  const { share } = typicalityOf(Float32Array.from(constant[0]!).fill(7.5, 0, 5), facts, tensors);
  expect(share).toBe(typicalityOf(constant[0]!, facts, tensors).share);
  expect(() => fitTypicality(constant.slice(0, 49))).toThrow("at least 50 photographs, found 49");
});

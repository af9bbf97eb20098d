import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { crossCoverage, figuresOf } from "../../../models/trust/coverage.ts";
import { calibrate, conformalQuantile, intervalOf, type Judged, leastJudged } from "../../../models/trust/interval.ts";
import golden from "../../golden/trust.json";

/** Opinions on [low, high] and scores of them that shrink towards the middle; errors are larger where quality is low. */
function judgedBy(random: Random, count: number, [low, high]: readonly [number, number] = [0, 100]): Judged[] {
  return Array.from({ length: count }, () => {
    const quality = (random.uniform() + random.uniform()) / 2;
    const error = (0.05 + 0.15 * (1 - quality)) * normal(random);
    const score = 0.15 + 0.7 * quality + error;
    return { mos: low + quality * (high - low), score: low + score * (high - low) };
  });
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

test.each(golden.conformal)("the conformal quantile at level $level is numpy's", ({ values, level, quantile }) => {
  expect(conformalQuantile(values, level)).toBe(quantile);
});

describe("a conformal interval", () => {
  test.each([
    [12, 0.9],
    [40, 0.9],
    [150, 0.9],
    [400, 0.9],
    [400, 0.8],
  ])("of %d pictures holds a share of %d of further ones, over many draws", (count, level) => {
    const random = new Random(count, "draws");
    const draws = Math.ceil(6000 / count);
    let held = 0;
    const further = 200;
    for (let draw = 0; draw < draws; draw++) {
      const facts = calibrate(judgedBy(random, count), [0, 100], level);
      for (const { score, mos } of judgedBy(random, further)) {
        const [low, high] = intervalOf(score, facts, [0, 100]);
        if (mos >= low && mos <= high) held++;
      }
    }
    const coverage = held / (draws * further);
    expect(coverage).toBeGreaterThan(level - 0.012);
    // Of n pictures the coverage may lie 1 / (n + 1) above; ties and small n widen it.
    expect(coverage).toBeLessThan(level + 0.025 + 1 / count);
  });

  test("holds at least four fifths in each fifth of the scale, and its ends lie unequally far", () => {
    const judged = judgedBy(new Random(3, "fifths"), 900);
    const figures = crossCoverage(judged, [0, 100], { repeats: 2 });
    expect(figures.coverage).toBeGreaterThan(0.88);
    expect(figures.coverage).toBeLessThan(0.92);
    for (const { coverage, pictures } of [...figures.byMos, ...figures.byScore])
      if (pictures >= 20) expect(coverage).toBeGreaterThan(0.8);
    // Against an interval of equal ends everywhere, which misses the pictures of low quality.
    const half = conformalQuantile(
      judged.map(({ score, mos }) => Math.abs(score - mos)),
      0.9,
    );
    const equal = figuresOf(
      judged.map((one) => ({ ...one, interval: [one.score - half, one.score + half] as const })),
      [0, 100],
    );
    expect(equal.byMos[0]!.coverage).toBeLessThan(0.8);
    const { at, below, above } = calibrate(judged, [0, 100]);
    expect(below[0]).not.toBeCloseTo(above[0]!, 0);
    expect([at[0], at.at(-1)]).toEqual([0, 100]);
  });

  test("follows the scale: scores times 3 and 1 more have ends times 3 and 1 more", () => {
    const [small, large] = (
      [
        [0, 1],
        [1, 4],
      ] as const
    ).map((range) => {
      return calibrate(judgedBy(new Random(5, "scale"), 120, range), range);
    });
    small!.below.forEach((below, k) => {
      expect(large!.below[k]).toBeCloseTo(3 * below, 9);
      expect(large!.above[k]).toBeCloseTo(3 * small!.above[k]!, 9);
    });
  });

  test("holds its score and stays within the scale, whatever the score", () => {
    const facts = calibrate(judgedBy(new Random(6, "ends"), 100), [0, 100]);
    const narrow = { ...facts, below: facts.below.map(() => -5), above: facts.above.map(() => -5) };
    for (const score of [0, 3, 50.5, 99, 100]) {
      for (const some of [facts, narrow]) {
        const [low, high] = intervalOf(score, some, [0, 100]);
        expect(low >= 0 && low <= score && score <= high && high <= 100).toBe(true);
      }
    }
    // A head that gives a score alone may go beyond the scale.
    for (const score of [-4, 104]) {
      const [low, high] = intervalOf(score, facts, [0, 100]);
      expect(low >= 0 && low <= high && high <= 100).toBe(true);
    }
  });

  test("is refused for too few pictures, and numbers that cannot be", () => {
    const judged = judgedBy(new Random(8, "few"), 30);
    expect([leastJudged(0.9), leastJudged(0.8), leastJudged(0.95)]).toEqual([12, 5, 24]);
    expect(() => calibrate(judged.slice(0, 11), [0, 100])).toThrow(
      "an interval of 90 % needs at least 12 rated pictures that the model has not learned from, found 11",
    );
    expect(calibrate(judged.slice(0, 12), [0, 100]).pictures).toBe(12);
    const wrong = (one: Judged) => () => calibrate([...judged, one], [0, 100]);
    expect(wrong({ score: Number.NaN, mos: 5 })).toThrow("the score of picture 31 is NaN");
    expect(wrong({ score: 5, mos: Number.POSITIVE_INFINITY })).toThrow("the MOS of picture 31 is Infinity");
    expect(wrong({ score: 5, mos: 101 })).toThrow("the MOS 101 of picture 31 lies beyond the model's scale, 0 to 100");
    expect(() => calibrate(judged, [0, 100], 1)).toThrow("the level 1 is none");
  });

  test("of equal scores and opinions is as wide as nothing", () => {
    const same = Array.from({ length: 40 }, () => ({ score: 50, mos: 50 }));
    expect(intervalOf(50, calibrate(same, [0, 100]), [0, 100])).toEqual([50, 50]);
  });
});

import { expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { drawPair, overlap, planVersions, versionKinds } from "../../../models/views/version-plan.ts";

test("there are 26 kinds, and a picture's versions are itself and others of different ones, half of them swapped", () => {
  expect(versionKinds.length).toBe(26);
  const seen = new Set<string>();
  const levels = new Set<number>();
  for (let seed = 0; seed < 60; seed++) {
    const versions = planVersions(new Random(seed, "versions"), 11);
    expect(versions.length).toBe(12);
    expect(versions[0]!.degraded).toBeUndefined();
    const degraded = versions.slice(1).map((version) => version.degraded!);
    const kinds = degraded.map(({ kind }) => JSON.stringify(kind));
    expect(new Set(kinds).size).toBe(11);
    expect(versions.filter(({ swapped }) => swapped).length).toBe(6);
    for (const kind of kinds) seen.add(kind);
    for (const { level } of degraded) levels.add(level);
    expect(planVersions(new Random(seed, "versions"), 11)).toEqual(versions);
  }
  expect(seen.size).toBe(26);
  expect([...levels].sort()).toEqual([1, 2, 3, 4, 5]);
  expect(planVersions(new Random(1, "versions"), 26).length).toBe(27);
  expect(planVersions(new Random(1, "versions"), 2).filter(({ swapped }) => swapped).length).toBe(1);
});

test("two crops lie inside and overlap by 10 to 30 % of their area, in every direction and at many places", () => {
  const random = new Random(5, "pairs");
  for (const [height, width, crop] of [
    [512, 512, 160],
    [256, 256, 160],
    [233, 400, 160],
    [96, 140, 64],
  ] as const) {
    const directions = new Set<string>();
    const shares: number[] = [];
    for (let i = 0; i < 400; i++) {
      const [a, b] = drawPair(random, { height, width }, crop)!;
      for (const { top, left } of [a, b]) {
        expect(top).toBeGreaterThanOrEqual(0);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(top + crop).toBeLessThanOrEqual(height);
        expect(left + crop).toBeLessThanOrEqual(width);
      }
      const [down, right] = [b.top - a.top, b.left - a.left];
      const share = ((crop - Math.abs(down)) * (crop - Math.abs(right))) / crop ** 2;
      expect(share).toBeGreaterThanOrEqual(overlap.least);
      expect(share).toBeLessThanOrEqual(overlap.most);
      shares.push(share);
      directions.add(`${Math.sign(down)} ${Math.sign(right)}`);
    }
    for (const sign of ["1 1", "1 -1", "-1 1", "-1 -1"]) expect(directions).toContain(sign);
    expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.1);
  }
});

test("a picture in which no two crops overlap as little has no places", () => {
  const random = new Random(1, "pairs");
  expect(drawPair(random, { height: 232, width: 232 }, 160)).toBeUndefined();
  expect(drawPair(random, { height: 160, width: 200 }, 160)).toBeUndefined();
  expect(drawPair(random, { height: 100, width: 500 }, 160)).toBeUndefined();
  expect(drawPair(random, { height: 160, width: 272 }, 160)).toBeDefined();
});

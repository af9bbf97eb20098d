import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { officialSplit, parseRatio, split } from "../../../models/data/split.ts";

const rows = (count: number, groups = 0) =>
  Array.from({ length: count }, (_, i) => ({
    name: `${i}.jpg`,
    ...(groups ? { group: `scene ${(i * i) % groups}` } : {}),
  }));

const sizes = (parts: Record<string, unknown[]>) => Object.values(parts).map((part) => part.length);

describe("by image", () => {
  test("shares are met, nothing is lost or doubled", () => {
    expect(sizes(split(rows(10073), { parts: parseRatio("1:3:1"), seed: 1 }))).toEqual([2015, 6043, 2015]);
    const parts = split(rows(929), { parts: { labelled: 2, unlabelled: 5, validation: 1, test: 2 }, seed: 3 });
    expect(sizes(parts)).toEqual([186, 464, 93, 186]);
    const names = Object.values(parts).flatMap((part) => part.map((row) => row.name));
    expect(new Set(names).size).toBe(929);
  });

  test("without a test part all is there to learn from", () => {
    expect(sizes(split(rows(929), { parts: parseRatio("1:0", ["labelled", "test"]), seed: 1 }))).toEqual([929, 0]);
    expect(sizes(split(rows(100), { parts: parseRatio("1:3:0"), seed: 1 }))).toEqual([25, 75, 0]);
    expect(sizes(split(rows(100, 10), { parts: parseRatio("1:3:0"), seed: 1, by: "group" })).at(-1)).toBe(0);
    expect(() => parseRatio("0:1", ["labelled", "test"])).toThrow('positive numbers such as 1:1, got "0:1"');
  });

  test("the seed decides, not the order of the rows", () => {
    const options = { parts: parseRatio("1:3:1"), seed: 7 };
    const base = split(rows(100), options);
    expect(split(new Random(1, "order").shuffle(rows(100)), options)).toEqual(base);
    expect(split(rows(100), { ...options, seed: 8 })).not.toEqual(base);
  });

  test("empty parts, repeated names, wrong shares", () => {
    expect(() => split(rows(3), { parts: parseRatio("1:30:1"), seed: 1 })).toThrow('"labelled" would be empty: 3 rows');
    expect(() => split([], { parts: { all: 1 }, seed: 1 })).toThrow("would be empty");
    expect(() => split([...rows(5), ...rows(1)], { parts: { a: 1, b: 1 }, seed: 1 })).toThrow('"0.jpg"');
    expect(() => split(rows(5), { parts: { a: 1, b: 0 }, seed: 1 })).toThrow('share of "b"');
  });
});

describe("by group", () => {
  test("a group never straddles, and shares are nearly met", () => {
    for (let seed = 0; seed < 5; seed++) {
      const parts = split(rows(1000, 101), { parts: parseRatio("1:3:1"), seed, by: "group" });
      const seen = new Map<string, string>();
      for (const [part, members] of Object.entries(parts)) {
        for (const { group } of members) {
          expect(seen.get(group!) ?? part).toBe(part);
          seen.set(group!, part);
        }
      }
      expect(sizes(parts).reduce((a, b) => a + b)).toBe(1000);
      sizes(parts).forEach((size, i) => {
        expect(Math.abs(size - [200, 600, 200][i]!)).toBeLessThan(40);
      });
    }
  });

  test("independent of row order; errors name the row or the counts", () => {
    const options = { parts: parseRatio("1:1:1"), seed: 5, by: "group" } as const;
    const shuffled = new Random(2, "order").shuffle(rows(60, 23));
    expect(split(shuffled, options)).toEqual(split(rows(60, 23), options));
    expect(() => split(rows(9, 2), options)).toThrow("2 groups");
    expect(() => split(rows(9), options)).toThrow('"0.jpg" has no group');
  });
});

test("ratios", () => {
  expect(parseRatio("1:8:1")).toEqual({ labelled: 1, unlabelled: 8, test: 1 });
  expect(parseRatio("80:20", ["train", "test"])).toEqual({ train: 80, test: 20 });
  for (const wrong of ["1:3", "1:0:1", "a:b:c", "1:-1:1", ""])
    expect(() => parseRatio(wrong)).toThrow(`got "${wrong}"`);
});

test("the official split", () => {
  const official = ["test", "training", "test"].map((part, i) => ({ name: `${9 - i}.jpg`, split: part }));
  const parts = officialSplit(official);
  expect([...parts.keys()]).toEqual(["test", "training"]);
  expect(parts.get("test")!.map((row) => row.name)).toEqual(["7.jpg", "9.jpg"]);
  expect(() => officialSplit(rows(1))).toThrow("columns.split");
});

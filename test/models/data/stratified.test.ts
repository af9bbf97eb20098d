import { expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { stratifiedSplit } from "../../../models/data/stratified.ts";

/** So many rows of each class. */
const rowsOf = (counts: readonly number[]) =>
  counts.flatMap((count, c) => Array.from({ length: count }, (_, i) => ({ name: `${c}-${i}.jpg`, mos: c })));
const options = {
  parts: { training: 8, validation: 1, test: 1 },
  seed: 1,
  classOf: ({ mos }: { mos: number }) => mos,
} as const;
const countsOf = (rows: readonly { mos: number }[], classes: number) =>
  Array.from({ length: classes }, (_, c) => rows.filter(({ mos }) => mos === c).length);

// Dang et al. 2024, Table 1.
test("the counts of KOKA10K as published: each class by 8:1:1, rounded down, the rest to the test part", () => {
  const rows = rowsOf([225, 1379, 5150, 3459, 219]);
  const { training, validation, test } = stratifiedSplit(rows, options);
  expect(countsOf(training, 5)).toEqual([180, 1103, 4120, 2767, 175]);
  expect(countsOf(validation, 5)).toEqual([22, 137, 515, 345, 21]);
  expect(countsOf(test, 5)).toEqual([23, 139, 515, 347, 23]);
  expect([training, validation, test].map(({ length }) => length)).toEqual([8345, 1040, 1047]);
  expect(new Set([...training, ...validation, ...test]).size).toBe(rows.length);
});

test("the seed decides, not the order of the rows; classes are shuffled, not cut as they come", () => {
  const rows = rowsOf([40, 7]);
  const base = stratifiedSplit(rows, options);
  expect(stratifiedSplit(new Random(1, "order").shuffle(rows), options)).toEqual(base);
  expect(stratifiedSplit(rows, { ...options, seed: 2 })).not.toEqual(base);
  expect(base.test.map(({ name }) => name).slice(0, 4)).not.toEqual(rows.slice(36, 40).map(({ name }) => name));
});

test("shares in any unit; a small class goes to the last part, and no rows to none", () => {
  const tenths = stratifiedSplit(rowsOf([10]), { ...options, parts: { training: 0.8, validation: 0.1, test: 0.1 } });
  expect(Object.values(tenths).map(({ length }) => length)).toEqual([8, 1, 1]);
  // 0.7 + 0.2 + 0.1 is below 1, and 0.1 + 0.2 + 0.7 above 0.3 + 0.7.
  for (const shares of [
    [0.7, 0.2, 0.1],
    [0.1, 0.2, 0.7],
    [0.6, 0.3, 0.1],
  ]) {
    const parts = Object.fromEntries(shares.map((share, i) => [`part ${i}`, share]));
    const counts = Object.values(stratifiedSplit(rowsOf([30]), { ...options, parts })).map(({ length }) => length);
    expect(counts).toEqual(shares.map((share) => Math.round(30 * share)));
  }
  expect(Object.values(stratifiedSplit(rowsOf([1]), options)).map(({ length }) => length)).toEqual([0, 0, 1]);
  expect(stratifiedSplit([], options)).toEqual({ training: [], validation: [], test: [] });
});

test("shares that are none are refused", () => {
  for (const share of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => stratifiedSplit(rowsOf([3]), { ...options, parts: { a: 1, b: share } })).toThrow(
      `The share of "b" must be a positive number, got ${share}.`,
    );
  }
});

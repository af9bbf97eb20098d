import { describe, expect, test } from "bun:test";
import {
  type ClassedPicture,
  type ClassedVariant,
  classedPictures,
  classTables,
} from "../../../models/experiments/class-summary.ts";

/** Pictures by "predicted/true", named by fold and place unless told otherwise. */
const pictures = (text: string, fold: number | string): ClassedPicture[] =>
  text.split(" ").map((pair, i) => {
    const [predicted, truth] = pair.split("/").map(Number);
    return { name: `${fold}-${i}`, predicted: predicted!, truth: truth! };
  });

const base: ClassedVariant = {
  name: "base",
  classes: 3,
  runs: [pictures("0/0 1/1 0/2 1/1", 1), pictures("2/2 1/0 1/1", 2)],
};
const better: ClassedVariant = {
  name: "better",
  classes: 3,
  runs: [pictures("0/0 1/1 2/2 1/1", 1), pictures("2/2 1/0 1/1", 2)],
};

describe("over folds", () => {
  const [table] = classTables([base, better], "base");
  const row = (name: string) => table!.rows.find((one) => one.name === name)!;

  test("every picture counts once in the pooled error, and every fold once in the means", () => {
    expect(table).toMatchObject({ classes: 3, counts: [2, 3, 2], eachOnce: true });
    const { pooled, mae, maes, measures, maeByClass, maeOfHighestTwo } = row("base");
    // Errors 0 0 2 0 and 0 1 0.
    expect(maes).toEqual([0.5, 1 / 3]);
    expect(pooled.n).toBe(7);
    expect(pooled.mean).toBeCloseTo(3 / 7, 12);
    const sd = Math.sqrt((5 * (3 / 7) ** 2 + (2 - 3 / 7) ** 2 + (1 - 3 / 7) ** 2) / 6);
    expect(pooled.standardError).toBeCloseTo(sd / Math.sqrt(7), 12);
    expect(mae.mean).toBeCloseTo((1 / 2 + 1 / 3) / 2, 12);
    expect(mae.standardError).toBeCloseTo((1 / 2 - 1 / 3) / 2, 12);
    expect(measures.accuracy.mean).toBeCloseTo((3 / 4 + 2 / 3) / 2, 12);
    expect(maeByClass.map(({ mean }) => mean)).toEqual([0.5, 0, 1]);
    expect(maeOfHighestTwo.mean).toBeCloseTo((2 / 3 + 0) / 2, 12);
  });

  test("differences are paired picture by picture, with an interval", () => {
    expect(row("base").difference).toBeUndefined();
    const { difference } = row("better");
    expect(difference).toMatchObject({ over: "pictures", n: 7 });
    expect(difference!.mean).toBeCloseTo(-2 / 7, 12);
    // sd / √7 is 2 / 7; t of 6 degrees of freedom.
    expect(difference!.low).toBeCloseTo(-2 / 7 - (2.4469 * 2) / 7, 4);
    expect(difference!.high).toBeCloseTo(-2 / 7 + (2.4469 * 2) / 7, 4);
  });

  test("constants stand beside, and each variant is said to beat them or not", () => {
    expect(table!.rows.map(({ name, constant }) => [name, constant])).toEqual([
      ["base", undefined],
      ["better", undefined],
      ["always 0", 0],
      ["always 1", 1],
      ["always 2", 2],
    ]);
    expect(row("always 1").pooled.mean).toBeCloseTo(4 / 7, 12);
    expect(row("always 1").difference!.mean).toBeCloseTo(1 / 7, 12);
    expect(row("base").sentence).toContain(
      "Base beats every constant predictor: MAE 0.429 over 7 pictures against 0.571",
    );
    expect(row("base").sentence).toContain("A constant is at least as good in class 2 (always 1: 1.000 against 1.000)");
    const poor = { name: "poor", classes: 3, runs: [pictures("2/0 0/1 0/2 0/1", 1)] };
    expect(classTables([poor], "poor")[0]!.rows[0]!.sentence).toContain("does not beat always answering class 1");
  });

  test("a fold that is missing counts in neither of two", () => {
    const [first] = classTables([base, { ...better, runs: [undefined, better.runs[1]] }], "base");
    const { maes, difference, pooled } = first!.rows[1]!;
    expect(maes).toEqual([null, 1 / 3]);
    expect(pooled.n).toBe(3);
    expect(difference).toEqual({ over: "pictures", n: 3, mean: 0, low: 0, high: 0 });
    expect(first!.rows[2]!.pooled.n).toBe(7);
  });
});

test("where pictures are tested again, differences are by repeat and the pooled error has no standard error", () => {
  const again = (variant: ClassedVariant) => ({
    ...variant,
    runs: [variant.runs[0], variant.runs[0]!.map((picture) => ({ ...picture, predicted: picture.truth }))],
  });
  const [table] = classTables([again(base), again(better)], "base");
  expect(table!.eachOnce).toBe(false);
  expect(table!.rows[0]!.pooled).toMatchObject({ n: 8, mean: 0.25, standardError: null });
  expect(table!.rows[1]!.difference).toMatchObject({ over: "repeats", n: 2, mean: -0.25 });
});

test("variants of other classes have a table of their own, and those that tell none have none", () => {
  const other: ClassedVariant = { name: "other", classes: 4, runs: [pictures("3/0", 1), undefined] };
  const moved: ClassedVariant = { name: "moved", classes: 3, runs: [pictures("0/1", 1), undefined] };
  const none: ClassedVariant = { name: "none", classes: 3, runs: [undefined, []] };
  const tables = classTables([none, base, other, moved], "base");
  expect(tables.map(({ rows }) => rows[0]!.name)).toEqual(["base", "other", "moved"]);
  expect(tables[1]!.rows.every(({ difference }) => difference === undefined)).toBe(true);
  expect(classTables([none], "none")).toEqual([]);
});

test("classes are those that the network told, or scores cut into equal widths where that is asked for", () => {
  const row = { name: "a", path: "/a", mos: 41, score: 39 };
  const told = { ...row, class: 3, trueClass: 2 };
  const scale = [0, 100] as const;
  const of = (head: "classes" | "score", classes: number, predictions = [told, row]) =>
    classedPictures(predictions, { head, levels: 5, classes }, [...scale]);
  expect(of("classes", 0)).toEqual([{ name: "a", predicted: 3, truth: 2 }]);
  expect(of("score", 0)).toEqual([]);
  expect(of("score", 5, [row])).toEqual([{ name: "a", predicted: 1, truth: 2 }]);
});

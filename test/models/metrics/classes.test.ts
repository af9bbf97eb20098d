import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  constantClasses,
  evaluateClasses,
  MetricError,
  mostFrequentClass,
  unbeatenConstants,
} from "../../../models/metrics/index.ts";
import golden from "../../golden/classes.json" with { type: "json" };

/** So many of each class. */
const ofCounts = (counts: readonly number[]) => counts.flatMap((count, c) => new Array<number>(count).fill(c));

describe("golden values in float64", () => {
  for (const [name, { predicted, truth, classes, expected }] of Object.entries(golden)) {
    test(name, () => {
      const found = evaluateClasses(predicted, truth, classes);
      const close = (value: number, wanted: number | null) =>
        wanted === null ? expect(value).toBeNaN() : expect(value).toBeCloseTo(wanted, 12);
      expect(found.n).toBe(truth.length);
      for (const key of ["accuracy", "macroF1", "quadraticKappa", "mae", "maeOfHighestTwo"] as const) {
        close(found[key], expected[key]);
      }
      found.classes.forEach(({ mae }, c) => {
        close(mae, expected.byClass[c]!);
      });
    });
  }
});

test("the expected classes have an error of their own, which is that of the classes where none are given", () => {
  const [predicted, truth] = [
    [0, 1, 2, 2],
    [0, 2, 2, 1],
  ];
  const found = evaluateClasses(predicted, truth, 3, [0.25, 1.5, 1.75, 1.5]);
  expect(found).toMatchObject({ mae: 0.5, maeOfExpectation: (0.25 + 0.5 + 0.25 + 0.5) / 4, accuracy: 0.5 });
  expect(evaluateClasses(predicted, truth, 3).maeOfExpectation).toBe(0.5);
  expect(() => evaluateClasses(predicted, truth, 3, [1])).toThrow(MetricError);
});

test("a matrix by hand: what was predicted is counted, and a class of neither has no F1", () => {
  const { classes, accuracy, macroF1 } = evaluateClasses([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], 3);
  expect(classes.map(({ n, predicted }) => [n, predicted])).toEqual([
    [2, 2],
    [3, 3],
    [0, 0],
  ]);
  expect(classes[0]!.f1).toBeCloseTo(1 / 2, 15);
  expect(classes[1]!.f1).toBeCloseTo(2 / 3, 15);
  expect(classes[2]!.f1).toBeNaN();
  expect(accuracy).toBeCloseTo(3 / 5, 15);
  expect(macroF1).toBeCloseTo(7 / 12, 15);
});

describe("constants", () => {
  const truth = ofCounts([23, 139, 515, 347, 23]);

  test("the middle class alone has MAE 0.552 and accuracy 0.492 on 23, 139, 515, 347 and 23 pictures", () => {
    const constants = constantClasses(truth, 5);
    const middle = constants[2]!.evaluation;
    expect(middle.mae).toBeCloseTo(578 / 1047, 15);
    expect(middle.mae).toBeCloseTo(0.552, 3);
    expect(middle.accuracy).toBeCloseTo(515 / 1047, 15);
    expect(middle.quadraticKappa).toBe(0);
    expect(middle.classes.map(({ mae }) => mae)).toEqual([2, 1, 0, 1, 2]);
    expect(constants[3]!.evaluation.maeOfHighestTwo).toBeCloseTo(23 / 370, 15);
    expect(Math.min(...constants.map(({ evaluation }) => evaluation.mae))).toBe(middle.mae);
  });

  test("the most frequent class, of equals the lowest", () => {
    expect(mostFrequentClass(truth, 5)).toBe(2);
    expect(mostFrequentClass([3, 1, 3, 1], 5)).toBe(1);
  });

  test("which of them a model does not beat: in a class those of other classes count, equal is not beaten", () => {
    const predicted = [2, 0, 1, 2, 3, 2, 3, 2];
    const own = [0, 0, 1, 2, 2, 3, 3, 4];
    const found = unbeatenConstants(evaluateClasses(predicted, own, 5), constantClasses(own, 5));
    expect(found).toEqual([
      { place: 0, constant: 1, constantMae: 1, mae: 1 },
      { place: 4, constant: 3, constantMae: 1, mae: 2 },
      { place: "highest two", constant: 3, constantMae: 1 / 3, mae: 1 },
    ]);
    expect(unbeatenConstants(evaluateClasses(own, own, 5), constantClasses(own, 5))).toEqual([]);
    const worse = own.map((c) => 4 - c);
    const places = unbeatenConstants(evaluateClasses(worse, own, 5), constantClasses(own, 5)).map(({ place }) => place);
    expect(places).toEqual([0, 1, 3, 4, "highest two", "all"]);
  });

  test("a class without pictures is none that a constant could win", () => {
    const own = [1, 1, 2, 2];
    const found = unbeatenConstants(evaluateClasses([0, 0, 0, 0], own, 5), constantClasses(own, 5));
    expect(found.map(({ place, constant }) => [place, constant])).toEqual([
      [1, 0],
      [2, 1],
      ["all", 1],
    ]);
  });
});

describe("refuses", () => {
  const refusal = (predicted: number[], truth: number[], classes: number) => () =>
    evaluateClasses(predicted, truth, classes);
  test.each([
    ["lengths", refusal([1], [1, 2], 3), "1 predicted classes but 2 true ones"],
    ["no picture", refusal([], [], 3), "at least 1 picture"],
    ["NaN", refusal([0, Number.NaN], [0, 1], 3), "predicted class at index 1 is NaN"],
    ["a fraction", refusal([0, 1], [0, 1.5], 3), "true class at index 1 is 1.5"],
    ["below", refusal([-1], [0], 3), "predicted class at index 0 is -1"],
    ["above", refusal([0], [3], 3), "of 3 classes it must be a whole number from 0 to 2"],
    ["infinite", refusal([0], [Number.POSITIVE_INFINITY], 3), "true class at index 0 is Infinity"],
    ["one class", refusal([0], [0], 1), "at least 2 classes, a whole number, got 1"],
    ["half a class", refusal([0], [0], 2.5), "got 2.5"],
    ["a constant of no classes", () => constantClasses([0], 0), "got 0"],
    ["the most frequent of none", () => mostFrequentClass([], 5), "at least 1 picture"],
  ] as const)("%s", (_, call, message) => {
    expect(call).toThrow(MetricError);
    expect(call).toThrow(message);
  });
});

const table = new URL("../../../../shared/data/mos/koniq10k.csv", import.meta.url);
describe.skipIf(!existsSync(table))("KonIQ-10k in five classes (skipped without ../shared/data/mos)", () => {
  test("the largest share, and what always answering the middle class scores", async () => {
    const lines = (await readFile(table, "utf8")).trim().split(/\r?\n/).slice(1);
    const truth = lines.map((line) => {
      const shares = line.split(",").slice(1, 6).map(Number);
      return shares.indexOf(Math.max(...shares));
    });
    expect(constantClasses(truth, 5)[2]!.evaluation.classes.map(({ n }) => n)).toEqual([76, 1379, 5150, 3468, 0]);
    expect(mostFrequentClass(truth, 5)).toBe(2);
    // A published test part: so many pictures of the table, and 23 of the highest class, which it does not have.
    const of = (c: number, count: number) => truth.filter((own) => own === c).slice(0, count);
    const part = [...of(0, 23), ...of(1, 139), ...of(2, 515), ...of(3, 347), ...ofCounts([0, 0, 0, 0, 23])];
    expect(part.length).toBe(1047);
    expect(constantClasses(part, 5)[2]!.evaluation.mae.toFixed(3)).toBe("0.552");
  });
});

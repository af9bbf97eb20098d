import { expect, test } from "bun:test";
import { normaliseMos } from "../../../models/labels/labels.ts";
import { heads } from "../../../models/networks/heads.ts";
import { classOfMos, classResult } from "../../../models/training/class-results.ts";

test("a MOS is of the class that the labels of the head say", () => {
  const options = { labelMode: "adjacent", labelDeviation: 10, ordinal: 0, range: "nominal" } as const;
  for (const range of [
    [1, 5],
    [0, 100],
    [-10, 90],
  ] as const) {
    for (const levels of [2, 5, 7]) {
      for (let i = 0; i <= 140; i++) {
        const mos = range[0] + ((range[1] - range[0]) * i) / 140;
        const label = heads.classes.labels([normaliseMos(mos, range)], { ...options, levels });
        expect(classOfMos(mos, range, levels)).toBe(label.indexOf(1));
      }
    }
  }
});

test("a MOS beyond the ends of the range is of the class at that end", () => {
  expect([-3, 0.9, 5.1, 80].map((mos) => classOfMos(mos, [1, 5], 5))).toEqual([0, 0, 4, 4]);
});

test("the expectation over the classes is compared with the class of the MOS", () => {
  const range = [1, 5] as const;
  const probabilities = [
    [0.1, 0.2, 0.7],
    [0.6, 0.4, 0],
  ];
  const pictures = probabilities.map((own, i) => {
    const { score, class: most } = heads.classes.score(own, range);
    return { class: most!, score, mos: [4.9, 2.6][i]! };
  });
  const { evaluation } = classResult("one", pictures, { classes: 3, range })!;
  // Expected classes 1.6 and 0.4, of 2 and 1.
  expect(evaluation.maeOfExpectation).toBeCloseTo((0.4 + 0.6) / 2, 10);
  expect(evaluation.mae).toBe(0.5);
});

test("no picture gives no result; without a labelled part there is no most frequent class", () => {
  const options = { classes: 3, range: [0, 3] } as const;
  expect(classResult("none", [], options)).toBeUndefined();
  const one = classResult("one", [{ class: 0, mos: 2.5 }], options)!;
  expect(one).not.toHaveProperty("mostFrequent");
  expect(one.evaluation).toMatchObject({ n: 1, mae: 2, accuracy: 0 });
  expect(one.unbeaten).toEqual([
    { place: 2, constant: 1, constantMae: 1, mae: 2 },
    { place: "highest two", constant: 2, constantMae: 0, mae: 2 },
    { place: "all", constant: 2, constantMae: 0, mae: 2 },
  ]);
  expect(classResult("one", [{ class: 0, mos: 2.5 }], { ...options, labelled: [1.5, 0.5, 1.2] })!.mostFrequent).toBe(1);
});

import { describe, expect, test } from "bun:test";
import { convertScore, expectation, normaliseMos } from "../../../models/labels/labels.ts";
import { supervised } from "../../../models/methods/supervised/index.ts";
import { gradesOnScores } from "../../../models/metrics/index.ts";
import { heads } from "../../../models/networks/heads.ts";
import { expectLabels, labelsOf } from "../../../models/training/labels.ts";
import type { RatedRow } from "../../../models/training/training.ts";

const row = (mos: number, more: Partial<RatedRow> = {}): RatedRow => ({ name: `${mos}.png`, path: "", mos, ...more });
const head = heads.distribution;
const optionsOf = (labelMode: "deqa" | "gauss-own" | "histogram", levels = 10) =>
  supervised.options({ labelMode, levels });

function labelled(
  rows: readonly RatedRow[],
  labelMode: "deqa" | "histogram",
  range: readonly [number, number] = [1, 10],
) {
  const options = optionsOf(labelMode);
  const labels = labelsOf({ labelled: rows, range }, { head }, { range, options });
  return rows.map((_, i) => [...labels.subarray(10 * i, 10 * i + 10)]);
}

describe("labels by the opinions on each picture", () => {
  test("the deviation of a row is taken in the units of the data set", () => {
    const [wide, narrow] = labelled([row(5.5, { sd: 2 }), row(5.5, { sd: 1 })], "deqa");
    for (const [found, sd] of [
      [wide!, 2],
      [narrow!, 1],
    ] as const) {
      const expected = convertScore(normaliseMos(5.5, [1, 10]), "deqa", 10, 11 * sd);
      found.forEach((share, j) => {
        expect(share).toBeCloseTo(expected[j]!, 6);
      });
    }
    expect(Math.max(...wide!)).toBeLessThan(Math.max(...narrow!));
  });

  test("grades as counts are the label, ten grades on ten bins as they are", () => {
    const histogram = [1, 0, 2, 5, 12, 30, 25, 15, 8, 2];
    const [found] = labelled([row(6.2, { histogram })], "histogram");
    found!.forEach((share, j) => {
      expect(share).toBeCloseTo(histogram[j]! / 100, 6);
    });
    const mean = histogram.reduce((sum, count, j) => sum + (count * (j + 1)) / 100, 0);
    expect(expectation(found!)).toBeCloseTo(normaliseMos(mean, [1, 10]), 4);
    const [five] = labelled([row(3, { histogram: [0, 1, 2, 1, 0] })], "histogram", [1, 5]);
    const expected = gradesOnScores([0, 1, 2, 1, 0], 10);
    five!.forEach((share, j) => {
      expect(share).toBeCloseTo(expected[j]!, 6);
    });
  });

  test("what another model labelled has its own label, or is interpolated", () => {
    const label = [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0];
    for (const mode of ["deqa", "histogram"] as const) {
      const [own, scored] = labelled([row(3, { label, weight: 0.5 }), row(3.5, { weight: 1 })], mode);
      expect(own).toEqual(label);
      expect(scored![2]).toBeCloseTo(0.5, 6);
      expectLabels({ labelled: [row(3, { label, weight: 0.5 }), row(3.5, { weight: 1 })] }, optionsOf(mode));
    }
  });

  test("a picture that people rated without them is an error that counts and names", () => {
    const rows = [row(3, { sd: 1, histogram: [1, 2] }), row(4), row(5)];
    for (const mode of ["deqa", "gauss-own"] as const)
      expect(() => expectLabels({ labelled: rows }, optionsOf(mode))).toThrow(
        `\`labelMode\` ${mode}: 2 of the labelled pictures, such as 4.png, come without the standard deviation of its opinions`,
      );
    expect(() => expectLabels({ labelled: rows }, optionsOf("histogram"))).toThrow(
      "come without the counts of its grades",
    );
    expect(() => supervised.options({ head: "score", labelMode: "deqa" })).toThrow("`labelMode` deqa");
  });
});

import { expect, test } from "bun:test";
import { axisEnds, bytes, dateAndTime, decimals, duration, movingMean } from "../../../models/report/report-parts.ts";

test("numbers as text", () => {
  expect([0, 3.42, 59.97, 725, 3720, Number.NaN].map(duration)).toEqual([
    "0.0 s",
    "3.4 s",
    "1 min 00 s",
    "12 min 05 s",
    "1 h 02 min",
    "–",
  ]);
  expect([0, 900, 1023, 2 ** 20, 1.6e9].map(bytes)).toEqual(["–", "900 B", "0.999 KiB", "1.00 MiB", "1.49 GiB"]);
  expect([1.005, null, Number.POSITIVE_INFINITY].map((value) => decimals(value, 1))).toEqual(["1.0", "–", "–"]);
  expect(dateAndTime("yesterday")).toBe("yesterday");
});

test("a moving mean stays centred and shortens at the ends", () => {
  const points = [1, 2, 6, 4, 5].map((y, x) => [x, y] as const);
  expect(movingMean(points, 3).map(([, y]) => y)).toEqual([1, 3, 4, 5, 5]);
  expect(movingMean([], 3)).toEqual([]);
});

test("axes keep the range, and grow to round ends around what lies outside", () => {
  expect(axisEnds([0, 100], [20, 80])).toEqual({ minimum: 0, maximum: 100 });
  expect(axisEnds([1, 5], [0.734, 3])).toEqual({ minimum: 0.7, maximum: 5 });
  expect(axisEnds([null, null], [])).toEqual({});
});

import { expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { bootstrapInterval, plcc, srcc } from "../../../models/metrics/index.ts";

/** Pairs of a bivariate normal distribution of correlation `rho`. */
function pairs(n: number, rho: number, seed: number) {
  const random = new Random(seed, "pairs");
  const mos = Float64Array.from({ length: n }, () => random.normal());
  const predicted = mos.map((y) => rho * y + Math.sqrt(1 - rho ** 2) * random.normal());
  return { predicted, mos };
}

test("the interval of a correlation is near Fisher's", () => {
  const { predicted, mos } = pairs(400, 0.8, 3);
  const { low, high } = bootstrapInterval(predicted, mos, plcc)!;
  // Fisher: atanh(r) is normal with deviation 1 / sqrt(n - 3).
  const [centre, reach] = [Math.atanh(plcc(predicted, mos)), 1.96 / Math.sqrt(397)];
  expect(Math.abs(low - Math.tanh(centre - reach))).toBeLessThan(0.012);
  expect(Math.abs(high - Math.tanh(centre + reach))).toBeLessThan(0.012);
});

test("it covers the truth about as often as it says", () => {
  let covered = 0;
  for (let seed = 0; seed < 60; seed++) {
    const { predicted, mos } = pairs(80, 0.6, 100 + seed);
    const { low, high } = bootstrapInterval(predicted, mos, plcc, { level: 0.8, repeats: 200 })!;
    if (low <= 0.6 && 0.6 <= high) covered++;
  }
  // 60 draws of 0.8: 48, deviation 3.1.
  expect(covered).toBeGreaterThan(38);
  expect(covered).toBeLessThan(58);
});

test("the same seed gives the same interval; few or constant pairs have none", () => {
  const { predicted, mos } = pairs(50, 0.5, 1);
  expect(bootstrapInterval(predicted, mos, srcc)).toEqual(bootstrapInterval(predicted, mos, srcc)!);
  expect(bootstrapInterval(predicted.slice(0, 9), mos.slice(0, 9), srcc)).toBeUndefined();
  expect(
    bootstrapInterval(
      predicted.map(() => 1),
      mos,
      srcc,
    ),
  ).toBeUndefined();
  expect(() => bootstrapInterval(predicted, mos, srcc, { level: 1 })).toThrow("between 0 and 1");
  expect(() => bootstrapInterval(predicted, mos, srcc, { repeats: 3 })).toThrow("at least 20");
});

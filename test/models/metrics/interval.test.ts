import { expect, test } from "bun:test";
import { meanInterval } from "../../../models/metrics/index.ts";

/** Share of Student's t distribution within ±t, by Simpson's rule; `half` is Γ((ν + 1) / 2) / (Γ(ν / 2) √(νπ)). */
function shareWithin(t: number, freedom: number): number {
  // Γ(a + 1/2) / Γ(a) from its value at 1/2 or 1 by Γ(x + 1) = x Γ(x).
  let ratio = freedom % 2 === 1 ? 1 / Math.sqrt(Math.PI) : Math.sqrt(Math.PI) / 2;
  for (let a = freedom % 2 === 1 ? 0.5 : 1; a < freedom / 2; a++) ratio *= (a + 0.5) / a;
  const density = (x: number) =>
    (ratio / Math.sqrt(freedom * Math.PI)) * (1 + (x * x) / freedom) ** (-(freedom + 1) / 2);
  const steps = 4000;
  let sum = density(0) + density(t);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * density((i * t) / steps);
  return (2 * sum * t) / steps / 3;
}

test("the interval holds 95 % of Student's t distribution, for few values and for many", () => {
  for (const n of [2, 3, 4, 5, 8, 11, 20, 30, 31, 32, 60, 200]) {
    // Half of the values at -1 and half at 1, one in the middle when they are odd.
    const values = Array.from({ length: n }, (_, i) => Math.sign(2 * i + 1 - n));
    const { mean, low, high } = meanInterval(values)!;
    expect(mean).toBeCloseTo(0, 12);
    expect(low).toBeCloseTo(-high, 12);
    const sd = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / (n - 1));
    expect(shareWithin((high * Math.sqrt(n)) / sd, n - 1)).toBeCloseTo(0.95, 4);
  }
});

test("it moves and grows with the values, and needs two", () => {
  const { mean, low, high } = meanInterval([3, 5])!;
  expect(mean).toBe(4);
  expect(low).toBeCloseTo(4 - 12.7062, 4);
  expect(high).toBeCloseTo(4 + 12.7062, 4);
  expect(meanInterval([3, 3, 3])).toEqual({ mean: 3, low: 3, high: 3 });
  expect(meanInterval([3])).toBeUndefined();
  expect(meanInterval([])).toBeUndefined();
});

import { expect, test } from "bun:test";
import { compareProfiles, medianError, noiseOf } from "../../../engine/profile/compare.ts";
import { Random } from "../../../engine/random.ts";
import { kernelProfile, profileOf } from "./profiles.ts";

test("the error of a median covers medians of normal draws", () => {
  const random = new Random(7);
  const medians = Array.from({ length: 400 }, () => {
    const times = Array.from({ length: 25 }, () => 10 + 0.5 * random.normal()).sort((a, b) => a - b);
    return times[12]!;
  });
  const deviation = Math.sqrt(medians.reduce((sum, median) => sum + (median - 10) ** 2, 0) / medians.length);
  const predicted = medianError(kernelProfile("a", 10, 0.5, 25));
  expect(predicted / deviation).toBeGreaterThan(0.85);
  expect(predicted / deviation).toBeLessThan(1.15);
});

test("noise of a ratio, by hand: 2 · 1.1 · √(π/2) · √((0.2/10)²/16 + (0.1/11)²/25), and half steps of the clocks", () => {
  const [a, b] = [kernelProfile("a", 10, 0.2, 16), kernelProfile("a", 11, 0.1, 26, 1)];
  expect(noiseOf(a, b)).toBeCloseTo(2.2 * Math.sqrt(Math.PI / 2) * Math.hypot(0.02 / 4, 0.1 / 11 / 5), 12);
  expect(noiseOf(a, b, [1, 2]) - noiseOf(a, b)).toBeCloseTo((1.1 * (1 / 10 + 2 / 11)) / 2, 12);
});

test("slower, faster, same, new and vanished kernels, by absolute change", () => {
  const before = profileOf([
    kernelProfile("slow", 10, 0.1, 20),
    kernelProfile("fast", 10, 0.1, 5),
    kernelProfile("noisy", 10, 5, 4),
    kernelProfile("small", 10, 0.01, 100),
    kernelProfile("gone", 1, 0.1, 1),
  ]);
  const after = profileOf([
    kernelProfile("slow", 12, 0.1, 20),
    kernelProfile("fast", 5, 0.1, 5),
    kernelProfile("noisy", 12, 5, 4),
    kernelProfile("small", 10.2, 0.01, 100),
    kernelProfile("fresh", 3, 0.1, 1),
  ]);
  const { kernels, regressions, totals, warnings } = compareProfiles(before, after, { threshold: 0.05 });
  expect(kernels.map(({ id, state }) => `${id} ${state}`)).toEqual([
    "slow slower",
    "fast faster",
    "small same",
    "noisy same",
    "fresh new",
    "gone vanished",
  ]);
  expect(regressions).toBe(1);
  expect(kernels[0]).toMatchObject({ before: 10, after: 12, ratio: 1.2, totalChange: 40, regression: true });
  expect(kernels.at(-1)).toMatchObject({ after: null, ratio: null, noise: null, totalChange: -1, callsAfter: 0 });
  expect(totals.busy).toEqual({ before: 50 + 200 + 40 + 1000 + 1, after: 240 + 25 + 48 + 1020 + 3 });
  expect(warnings).toEqual([]);
  // Below the threshold is no regression, above it is, when it is beyond noise.
  const strict = compareProfiles(before, after, { threshold: 0.01 });
  expect(strict.kernels.filter(({ regression }) => regression).map(({ id }) => id)).toEqual(["slow", "small"]);
});

test("single and cold calls say nothing about noise", () => {
  const comparison = compareProfiles(
    profileOf([kernelProfile("one", 1, 0, 1), kernelProfile("cold", 1, 0, 3, 3)]),
    profileOf([kernelProfile("one", 9, 0, 1), kernelProfile("cold", 9, 0, 3, 3)]),
  );
  expect(comparison.regressions).toBe(0);
  const [cold, one] = comparison.kernels;
  expect(one).toMatchObject({ state: "same", ratio: 9, noise: Number.POSITIVE_INFINITY });
  expect(cold).toMatchObject({ before: null, after: null, ratio: null });
});

test("other adapters are refused, other versions are told", () => {
  const kernels = [kernelProfile("a", 1, 0.1, 5)];
  const other = profileOf(kernels, { description: "Radeon", runtime: "Node 24" });
  expect(() => compareProfiles(profileOf(kernels), other)).toThrow(
    'different adapters (description: "llvmpipe" before, "Radeon" after); --force',
  );
  const { warnings } = compareProfiles(profileOf(kernels), other, { force: true });
  expect(warnings.join("\n")).toContain('runtime: "Bun 1.4.5" before, "Node 24" after');
  expect(warnings.join("\n")).toContain("Radeon");
});

test("other commands are refused; the same run twice, other orders and calls are told", () => {
  const kernels = [kernelProfile("a", 1, 0.1, 5)];
  const [one, two] = [profileOf(kernels), profileOf([kernelProfile("a", 1, 0.1, 9)])];
  const other = { ...two, command: "score other-photos" };
  expect(() => compareProfiles(one, other)).toThrow(
    'of different commands (command: "score photos" before, "score other-photos" after); --force',
  );
  expect(compareProfiles(one, other, { force: true }).warnings.join()).toContain("score other-photos");
  expect(compareProfiles(one, one).warnings.join()).toContain("both profiles are of the same run");
  expect(compareProfiles(two, one).warnings.join()).toContain("is younger than the one after");
  expect(compareProfiles(one, two).warnings).toEqual([
    "1 of 1 kernels ran another number of times: totals differ for it",
  ]);
});

test("kernels of one profile only are counted, without what the tuner tried", () => {
  const tried = { ...kernelProfile("trial", 1, 0.1, 5), op: "tuning" };
  const before = profileOf([kernelProfile("a", 1, 0.1, 5), kernelProfile("gone", 1, 0.1, 5), tried]);
  const after = profileOf([kernelProfile("a", 1, 0.1, 5), kernelProfile("fresh", 1, 0.1, 5)]);
  expect(compareProfiles(before, after)).toMatchObject({ unmatched: 2, compared: 1 });
  const few = profileOf([kernelProfile("a", 1, 0.1, 1)]);
  const { compared, warnings } = compareProfiles(few, profileOf([kernelProfile("a", 5, 0.1, 1)]));
  expect(compared).toBe(0);
  expect(warnings.join()).toContain("1 of 1 kernels ran too few times warm");
});

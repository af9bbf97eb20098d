import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  constant,
  cosine,
  cosineRestarts,
  exponential,
  linearWarmup,
  polynomial,
  quarterCosine,
  type Schedule,
  sequential,
  stepDecay,
  timeDecay,
  withWarmup,
} from "../../../engine/optim/schedule.ts";

const golden: { name: string; factors: number[] }[] = JSON.parse(
  readFileSync(new URL("../../golden/schedules.json", import.meta.url), "utf8"),
);

const schedules: Record<string, Schedule> = {
  linear: linearWarmup({ steps: 6, start: 0.25 }),
  cosine: cosine({ steps: 12, floor: 0.1 }),
  restarts: cosineRestarts({ steps: 4, lengthen: 2, floor: 0.02 }),
  "equal restarts": cosineRestarts({ steps: 5 }),
  step: stepDecay({ every: 3, gamma: 0.5 }),
  milestones: stepDecay({ milestones: [2, 7, 8] }),
  exponential: exponential({ gamma: 0.9 }),
  polynomial: polynomial({ steps: 9, power: 2 }),
  "time decay": timeDecay({ decay: 0.3 }),
  "warm-up then cosine": withWarmup(20, { steps: 5, start: 0.2 }, (steps) => cosine({ steps, floor: 0.05 })),
};

describe("schedules against PyTorch", () => {
  for (const { name, factors } of golden) {
    test(name, () => {
      const found = factors.map((_, step) => schedules[name]!(step));
      for (const [step, factor] of factors.entries()) expect(found[step]!).toBeCloseTo(factor, 10);
    });
  }
});

test("a part of a quarter cosine, as published", () => {
  const usb = quarterCosine({ steps: 204_800, end: Math.cos((7 * Math.PI) / 16) });
  const adaMatch = quarterCosine({ steps: 204_800, end: 0.25 });
  for (const t of [0, 1, 5_120, 77_777, 204_799]) {
    expect(usb(t)).toBeCloseTo(Math.cos((7 * Math.PI * t) / (16 * 204_800)), 14);
    expect(adaMatch(t)).toBeCloseTo(Math.cos((Math.acos(0.25) * t) / 204_800), 14);
  }
  expect([usb(204_800), usb(1e6)].map((factor) => factor.toFixed(4))).toEqual(["0.1951", "0.1951"]);
  expect([adaMatch(204_800), adaMatch(1e6)]).toEqual([0.25, 0.25]);
  expect([0, 2, 3, 4].map(quarterCosine({ steps: 3 }))).toEqual([1, expect.closeTo(0.5, 12), 0, 0]);
});

test("schedules stay at their end", () => {
  expect([12, 13, 500].map(cosine({ steps: 12, floor: 0.1 }))).toEqual([0.1, 0.1, 0.1]);
  expect([3, 4, 500].map(linearWarmup({ steps: 3 }))).toEqual([1, 1, 1]);
  expect([0, 9].map(constant(0.5))).toEqual([0.5, 0.5]);
});

test("a warm-up rises in equal increments from the first step on, and may be a share", () => {
  const warm = withWarmup(20, { share: 0.2 }, () => constant());
  expect([0, 1, 2, 3, 4].map((step) => warm(step).toFixed(6))).toEqual([
    "0.200000",
    "0.400000",
    "0.600000",
    "0.800000",
    "1.000000",
  ]);
  expect([0, 7].map(withWarmup(8, {}, (steps) => exponential({ gamma: 1 / steps })))).toEqual([1, 8 ** -7]);
});

test("schedules nest", () => {
  const nested = sequential(constant(0.1), 2, sequential(constant(0.5), 2, stepDecay({ every: 1, gamma: 0.5 })));
  expect([0, 1, 2, 3, 4, 5, 6].map(nested)).toEqual([0.1, 0.1, 0.5, 0.5, 1, 0.5, 0.25]);
});

test("wrong settings are named with their value", () => {
  expect(() => cosine({ steps: 0 })).toThrow("cosine: steps are counted in whole numbers of at least 1, found 0");
  expect(() => linearWarmup({ steps: 2.5 })).toThrow("found 2.5");
  expect(() => quarterCosine({ steps: 3, end: -0.1 })).toThrow("quarterCosine: end is between 0 and 1, found -0.1");
  expect(() => cosine({ steps: 3, floor: 1.5 })).toThrow("floor is between 0 and 1, found 1.5");
  expect(() => stepDecay({ every: 2, gamma: 0 })).toThrow("gamma is above 0, found 0");
  expect(() => stepDecay({ milestones: [3, 0] })).toThrow("found 0");
  expect(() => polynomial({ steps: 3, power: Number.NaN })).toThrow("power is above 0, found NaN");
  expect(() => timeDecay({ decay: 0 })).toThrow("decay is above 0, found 0");
  expect(() => withWarmup(10, { steps: 10 }, constant)).toThrow("a warm-up of 10 steps leaves none of 10");
  expect(() => withWarmup(10, { steps: 1, share: 0.1 }, constant)).toThrow("not as both");
});

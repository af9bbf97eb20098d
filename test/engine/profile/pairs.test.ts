import { describe, expect, test } from "bun:test";
import { comparePairs, type Pair } from "../../../engine/profile/pairs.ts";
import { noiseOfKernel, noisiest, pooled } from "../../../engine/profile/pool.ts";
import { type Profile, profileSchema } from "../../../engine/profile/profile.ts";
import { sampleProfile } from "./sample.ts";

/** A profile whose kernels take so many times as long. */
function slower(profile: Profile, factor: number, conditions?: Profile["conditions"]): Profile {
  return {
    ...profile,
    ...(conditions && { conditions }),
    span: { ...profile.span, wallMs: profile.span.wallMs * factor },
    kernels: profile.kernels.map((kernel) => ({
      ...kernel,
      milliseconds: { ...kernel.milliseconds, median: kernel.milliseconds.median * factor },
    })),
    events: profile.events.map((event) => ({ ...event, durationMs: event.durationMs * factor })),
  };
}

const sample = sampleProfile({ kernels: 12, events: 400 });
const busy = { othersCores: { median: 2, most: 2 }, taintedShare: 0.9, slowdown: 1, runs: 1 };

describe("pairs in turns", () => {
  test("give the ratio of each kernel and over all, with what disturbs both of a pair falling out", () => {
    const pairs = [1, 3, 0.5, 2].map(
      (load, i): Pair => [slower(sample, load), slower(sample, load * (1.2 + 0.01 * (i % 2)))],
    );
    const found = comparePairs(pairs);
    expect(found).toMatchObject({ rounds: 4, leftOut: 0, isTainted: false, onlyA: [], onlyB: [] });
    for (const { ratio, low, high } of [found.busy, found.wall, ...found.kernels]) {
      expect(ratio).toBeCloseTo(Math.sqrt(1.2 * 1.21), 6);
      expect(low).toBeGreaterThan(1.19);
      expect(high).toBeLessThan(1.22);
    }
    expect(found.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    const shares = found.kernels.map(({ share }) => share);
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
  });

  test("leave out those of a busy machine where there are enough others", () => {
    const clean = (): Pair => [sample, slower(sample, 1.1)];
    const disturbed: Pair = [sample, slower(sample, 9, busy)];
    const found = comparePairs([clean(), disturbed, clean(), clean()]);
    expect(found).toMatchObject({ rounds: 4, leftOut: 1, isTainted: false });
    expect(found.busy.ratio).toBeCloseTo(1.1, 9);
    expect(comparePairs([clean(), disturbed])).toMatchObject({ leftOut: 0, isTainted: true });
  });

  test("name kernels of one side only", () => {
    const [gone, ...rest] = sample.kernels;
    const found = comparePairs([[sample, { ...sample, kernels: rest }]]);
    expect(found.onlyA).toHaveLength(1);
    expect(found.onlyA[0]).toContain(gone!.kernel);
  });
});

describe("several runs", () => {
  test("are one profile: figures over all calls, times of the first", () => {
    const whole = pooled([sample, slower(sample, 2), slower(sample, 2)]);
    expect(profileSchema.parse(JSON.parse(JSON.stringify(whole)))).toEqual(JSON.parse(JSON.stringify(whole)));
    expect(whole.marks).toContain("several-runs");
    expect(whole.conditions!.runs).toBe(3);
    expect(whole.events).toEqual(sample.events);
    for (const [i, kernel] of whole.kernels.entries()) {
      const durations = sample.events.filter((event) => event.kernel === i).map(({ durationMs }) => durationMs);
      if (durations.length === 0) continue;
      expect(kernel.calls).toBe(3 * durations.length);
      const total = durations.reduce((sum, ms) => sum + ms, 0);
      expect(kernel.milliseconds.total / (5 * total)).toBeCloseTo(1, 9);
    }
    expect(whole.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
  });

  test("are known better than one", () => {
    const one = noisiest(sample)!;
    const many = noisiest(pooled([sample, sample, sample, sample]))!;
    expect(one.noise).toBeGreaterThan(0);
    expect(many.noise).toBeLessThan(one.noise);
    expect(one.noise).toBe(Math.max(...sample.kernels.filter(({ share }) => share >= 0.01).map(noiseOfKernel)));
  });
});

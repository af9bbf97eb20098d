import { expect, test } from "bun:test";
import { bindingRoof, memoryGBps } from "../../../engine/tune/binding-roof.ts";
import { summarise } from "../../../engine/tune/measured.ts";
import type { Roofs } from "../../../engine/tune/roofs.ts";

const one = summarise([1]);
/** 100 GFLOP/s, 10 GB/s in 1 MB, 2 GB/s in 100 MB, 5 µs a dispatch, each at its best. */
const roofs: Roofs = {
  measuredAt: new Date(0).toISOString(),
  clock: { source: "wall", stepNanoseconds: 0 },
  fmaGflops: summarise([80, 90, 100]),
  f16FmaGflops: null,
  integerGops: one,
  copyGBps: [
    { bytes: 1e6, rate: summarise([8, 10]) },
    { bytes: 1e8, rate: summarise([1, 1.5]) },
  ],
  readGBps: [
    { bytes: 5e5, rate: summarise([9]) },
    { bytes: 5e7, rate: summarise([2]) },
  ],
  workgroupGBps: one,
  bufferCopyGBps: one,
  uploadGBps: one,
  dispatchMicroseconds: summarise([7, 5, 9]),
  encodeMicroseconds: one,
  passMicroseconds: one,
  submitMicroseconds: one,
  readbackMicroseconds: one,
};

test.each([
  ["arithmetic", { flops: 2e9, bytes: 1e6 }, 20],
  ["memory", { flops: 2e9, bytes: 6e7 }, 30],
  ["dispatch", { flops: 1e3, bytes: 1e3 }, 0.005],
  ["dispatch", { flops: 1e6, bytes: 1e3, dispatches: 100 }, 0.5],
  ["arithmetic", { flops: 1e3, bytes: 0, dispatches: 0 }, 1e-5],
] as const)("%s binds %p", (roof, cost, leastMs) => {
  const bound = bindingRoof(cost, roofs);
  expect(bound.roof).toBe(roof);
  expect(bound.leastMs).toBeCloseTo(leastMs, 10);
});

test("memory is as fast as the nearest smaller measured size, or a larger one", () => {
  expect([0, 1, 5e5, 9e5, 1e6, 4e7].map((bytes) => memoryGBps(bytes, roofs))).toEqual([10, 10, 10, 10, 10, 10]);
  expect([5e7, 9e7].map((bytes) => memoryGBps(bytes, roofs))).toEqual([2, 2]);
  expect([1e8, 1e12].map((bytes) => memoryGBps(bytes, roofs))).toEqual([1.5, 1.5]);
});

test("costs that are none are refused", () => {
  expect(() => bindingRoof({ flops: -1, bytes: 1 }, roofs)).toThrow("got -1 flops");
  expect(() => bindingRoof({ flops: 1, bytes: Number.NaN }, roofs)).toThrow("got NaN bytes");
  expect(() => bindingRoof({ flops: 0, bytes: 0, dispatches: 0 }, roofs)).toThrow("has no roof");
});

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { affinity } from "../../../engine/graph/affinity.ts";
import { type Metric, nearestNeighbours } from "../../../engine/graph/neighbours.ts";
import { symmetricGraph } from "../../../engine/graph/sparse.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { relativeError } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { bruteRow, type HashedPoints, hashedPoints } from "./reference.ts";

interface GoldenNeighbours extends HashedPoints {
  readonly k: number;
  readonly metric: Metric;
  readonly indices: number[];
  readonly values: number[];
}

const golden: GoldenNeighbours[] = JSON.parse(readFileSync(new URL("../../golden/knn.json", import.meta.url), "utf8"));

async function find(device: Device, given: HashedPoints, k: number, metric: Metric) {
  const reads = device.scope(() => {
    const features = Tensor.from(device, hashedPoints(given), [given.points, given.channels]);
    const { indices, values } = nearestNeighbours(features, { k, metric });
    return { indices: indices.readIndices(), values: values.read() };
  });
  return { indices: await reads.indices, values: await reads.values };
}

describe("nearestNeighbours equals FAISS's flat search", () => {
  for (const { indices, values, k, metric, ...given } of golden) {
    const name = `${metric}, ${given.points} points on ${given.levels} levels, d = ${given.channels}`;
    test(name, async () => {
      for (const device of [await sharedDevice(), await plainDevice()]) {
        const found = await find(device, given, k, metric);
        expect([...found.indices]).toEqual(indices);
        expect(relativeError(found.values, values)).toBeLessThan(1e-6);
      }
    });
  }
});

test("20,000 points: sampled rows equal brute force", async () => {
  const given = { points: 20_000, channels: 64, levels: 2 ** 24, copies: 1000 };
  const k = 10;
  const found = await find(await sharedDevice(), given, k, "euclidean");
  const x = hashedPoints(given);
  // First and last points, copies and their originals, and others all over.
  const sample = [0, 1, 3, 19_000, 19_001, 19_999, ...Array.from({ length: 24 }, (_, i) => 811 * i + 5)];
  for (const row of sample) {
    const expected = bruteRow(x, given.channels, row, k, "euclidean");
    expect([...found.indices.slice(row * k, (row + 1) * k)]).toEqual(expected.map(({ index }) => index));
    const values = expected.map(({ value }) => value);
    expect(relativeError(found.values.slice(row * k, (row + 1) * k), values)).toBeLessThan(1e-6);
  }
}, 120_000);

describe("memory of the graph", () => {
  const mebibyte = 2 ** 20;
  const k = 10;

  /** Neighbours, weights and the sparse matrix, as in a label step. */
  function build(features: Tensor): void {
    const neighbours = nearestNeighbours(features, { k });
    symmetricGraph(neighbours.indices, affinity(neighbours));
  }

  test("100,000 points of 256 numbers take less than 300 MiB beside the features", async () => {
    using device = await openDevice();
    let featureBytes = 0;
    const { peakBytes } = device.rehearse(() => {
      const features = Tensor.empty(device, [100_000, 256]);
      featureBytes = features.sizeBytes;
      build(features);
    });
    expect(featureBytes).toBe(100_000 * 256 * 4);
    expect(peakBytes - featureBytes).toBeLessThan(300 * mebibyte);
  });

  test("a rehearsal finds the peak of the real work", async () => {
    using device = await openDevice();
    const work = () => build(Tensor.zeros(device, [3000, 32]));
    const estimate = device.rehearse(work);
    device.memory.resetPeak();
    device.scope(work);
    await device.finish();
    expect(device.memoryReport().peakBytes).toBe(estimate.peakBytes);
  });
});

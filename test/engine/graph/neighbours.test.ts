import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import { affinity } from "../../../engine/graph/affinity.ts";
import { type Metric, nearestNeighbours } from "../../../engine/graph/neighbours.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { relativeError } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { bruteNeighbours, latticePoints, randomPoints } from "./reference.ts";

async function find(device: Device, x: Float32Array<ArrayBuffer>, channels: number, k: number, metric: Metric) {
  const reads = device.scope(() => {
    const features = Tensor.from(device, x, [x.length / channels, channels]);
    const { indices, values } = nearestNeighbours(features, { k, metric });
    return { indices: indices.readIndices(), values: values.read() };
  });
  return { indices: [...(await reads.indices)], values: [...(await reads.values)] };
}

async function compare(device: Device, x: Float32Array<ArrayBuffer>, channels: number, k: number, metric: Metric) {
  const found = await find(device, x, channels, k, metric);
  const expected = bruteNeighbours(x, channels, k, metric);
  expect(found.indices).toEqual(expected.indices);
  expect(relativeError(found.values, expected.values)).toBeLessThan(1e-6);
}

describe("nearestNeighbours equals brute force", () => {
  for (const metric of ["euclidean", "cosine"] as const) {
    for (const [points, channels, k] of [
      [37, 3, 1],
      [37, 8, 5],
      [130, 33, 10],
      [517, 8, 1],
      [517, 33, 5],
      [517, 3, 10],
      [80, 8, 64],
    ] as const) {
      test(`${metric}, ${points} points, d = ${channels}, k = ${k}`, async () => {
        await compare(await sharedDevice(), randomPoints(points, channels, points + k), channels, k, metric);
      });
    }
  }

  test("more candidates than one tile holds", async () => {
    await compare(await sharedDevice(), randomPoints(2500, 4, 1), 4, 3, "euclidean");
  });

  test("a part of the points has the bits that it has among all", async () => {
    const device = await sharedDevice();
    const [points, channels] = [2500, 12];
    const x = randomPoints(points, channels, 5);
    const { indices, values } = await find(device, x, channels, 7, "euclidean");
    for (const [start, count] of [
      [0, 64],
      [1088, 1412],
      [2496, 4],
    ] as const) {
      const reads = device.scope(() => {
        const features = Tensor.from(device, x, [points, channels]);
        const own = nearestNeighbours(features, { k: 7, rows: { start, count } });
        return { indices: own.indices.readIndices(), values: own.values.read() };
      });
      expect([...(await reads.indices)]).toEqual(indices.slice(7 * start, 7 * (start + count)));
      expect([...(await reads.values)]).toEqual(values.slice(7 * start, 7 * (start + count)));
    }
    using features = Tensor.from(device, x, [points, channels]);
    for (const rows of [
      { start: 1, count: 3 },
      { start: 2496, count: 5 },
      { start: 0, count: 0 },
    ])
      expect(() => nearestNeighbours(features, { rows })).toThrow(ShapeError);
  });

  test("copies and ties are taken by number, and a point is no neighbour of itself", async () => {
    const device = await sharedDevice();
    await compare(device, latticePoints(130, 3, 3), 3, 5, "euclidean");
    await compare(device, latticePoints(517, 8, 2), 8, 10, "euclidean");
    const same = await find(device, new Float32Array(40 * 8).fill(0.7), 8, 3, "euclidean");
    expect(same.indices.slice(0, 9)).toEqual([1, 2, 3, 0, 2, 3, 0, 1, 3]);
    expect(same.values.every((value) => value === 0)).toBe(true);
  });

  test("points far from the origin", async () => {
    const x = randomPoints(300, 8, 3).map((value, i) => value + 1000 * ((i % 8) - 3));
    await compare(await sharedDevice(), x, 8, 5, "euclidean");
  });

  test("a zero row has similarity 0", async () => {
    const x = randomPoints(60, 8, 9).fill(0, 80, 88);
    await compare(await sharedDevice(), x, 8, 4, "cosine");
  });

  test("windows of small bindings, plain kernels", async () => {
    const device = await plainDevice();
    await compare(device, randomPoints(150, 8, 4), 8, 4, "euclidean");
    await compare(device, randomPoints(150, 8, 4), 8, 4, "cosine");
    await compare(device, latticePoints(90, 4, 3), 4, 4, "euclidean");
  });
});

describe("nearestNeighbours", () => {
  test("gives the same bits twice and keeps no buffers", async () => {
    const device = await sharedDevice();
    const x = randomPoints(517, 33, 8);
    const before = device.memoryUse.usedBytes;
    const first = await find(device, x, 33, 10, "euclidean");
    expect(await find(device, x, 33, 10, "euclidean")).toEqual(first);
    expect(device.memoryUse.usedBytes).toBe(before);
  });

  test("keeps indices legal where points are not numbers", async () => {
    const device = await sharedDevice();
    const found = await find(device, new Float32Array(20 * 4).fill(Number.NaN), 4, 3, "euclidean");
    expect(found.indices.every((index) => index < 20)).toBe(true);
    expect(found.values.every((value) => Number.isNaN(value))).toBe(true);
  });

  test("says what is wrong", async () => {
    const device = await sharedDevice();
    device.scope(() => {
      const features = Tensor.from(device, randomPoints(8, 4, 1), [8, 4]);
      expect(() => nearestNeighbours(features, { k: 8 })).toThrow("k = 8 needs at least 9 points, there are 8");
      expect(() => nearestNeighbours(features, { k: 65 })).toThrow(ShapeError);
      expect(() => nearestNeighbours(features, { k: 1.5 })).toThrow(ShapeError);
      expect(() => nearestNeighbours(features.alias([32]), { k: 1 })).toThrow("[N, d]");
    });
  });
});

describe("affinity", () => {
  const values = Float32Array.from({ length: 21 }, (_, i) => 0.05 * i * i);

  async function weigh(metric: Metric, x: Float32Array<ArrayBuffer>, options: Parameters<typeof affinity>[1]) {
    const device = await sharedDevice();
    const reads = device.scope(() => {
      const indices = Tensor.zeros(device, [x.length / 3, 3], "u32");
      const weights = affinity({ metric, indices, values: Tensor.from(device, x, indices.shape) }, options);
      return { weights: weights.read() };
    });
    return [...(await reads.weights)];
  }

  test("rbf takes its width from the mean squared distance", async () => {
    const variance = values.reduce((sum, value) => sum + value, 0) / values.length;
    const expected = [...values].map((value) => Math.exp(-value / (2 * variance)));
    expect(relativeError(await weigh("euclidean", values, {}), expected)).toBeLessThan(1e-6);
  });

  test("rbf of copies alone is 1", async () => {
    expect(await weigh("euclidean", new Float32Array(12), { kind: "rbf" })).toEqual(new Array(12).fill(1));
  });

  test("cos is a power of the positive part", async () => {
    const x = values.map((_, i) => -0.4 + 0.07 * i);
    for (const power of [3, 1]) {
      const expected = [...x].map((value) => Math.max(0, value) ** power);
      expect(relativeError(await weigh("cosine", x, { kind: "cos", power }), expected)).toBeLessThan(1e-5);
    }
  });

  test("refuses the other metric", async () => {
    await expect(weigh("cosine", values, { kind: "rbf" })).rejects.toThrow('needs neighbours by metric "euclidean"');
    await expect(weigh("cosine", values, { kind: "cos", power: 0 })).rejects.toThrow("power = 0");
  });
});

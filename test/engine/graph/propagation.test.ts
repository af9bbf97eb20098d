import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import { affinity } from "../../../engine/graph/affinity.ts";
import { nearestNeighbours } from "../../../engine/graph/neighbours.ts";
import { type PropagateOptions, propagate } from "../../../engine/graph/propagate.ts";
import { SolveError, type SolveOptions, solve } from "../../../engine/graph/solve.ts";
import { type SparseMatrix, symmetricGraph } from "../../../engine/graph/sparse.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { relativeError } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { denseGraph, eliminate, randomPoints, readDense, rowsOf } from "./reference.ts";

/** Some lists of k different neighbours with weights; every point also lists point 0, a hub. */
function randomLists(size: number, k: number, seed: number) {
  const random = new Random(seed, "lists");
  const indices = new Uint32Array(size * k);
  for (let i = 0; i < size; i++) {
    const list = new Set<number>(i === 0 ? [] : [0]);
    while (list.size < k) {
      const j = Math.floor(random.uniform() * size);
      if (j !== i) list.add(j);
    }
    indices.set([...list], i * k);
  }
  return { indices, weights: Float32Array.from({ length: size * k }, () => random.uniform()) };
}

function upload(device: Device, size: number, k: number, seed: number): SparseMatrix {
  const { indices, weights } = randomLists(size, k, seed);
  return device.scope(() =>
    symmetricGraph(Tensor.from(device, indices, [size, k]), Tensor.from(device, weights, [size, k])),
  );
}

function randomSides(rows: number, columns: number): Float32Array<ArrayBuffer> {
  const random = new Random(11, "sides");
  return Float32Array.from({ length: rows * columns }, () => random.uniform() - 0.3);
}

async function solveOnce(
  device: Device,
  matrix: SparseMatrix,
  y: Float32Array<ArrayBuffer>,
  columns: number,
  options: SolveOptions,
) {
  using right = Tensor.from(device, y, [matrix.size, columns]);
  const { solution, ...rest } = await solve(matrix, right, options);
  using z = solution;
  return { z: await z.read(), ...rest };
}

async function propagateOnce(
  device: Device,
  graph: SparseMatrix,
  rows: number[],
  targets: Float32Array<ArrayBuffer>,
  options: PropagateOptions,
) {
  using labels = Tensor.from(device, targets, [rows.length, targets.length / rows.length]);
  const { pseudoLabels, confidence, ...rest } = await propagate(graph, { rows, targets: labels }, options);
  using p = pseudoLabels;
  using c = confidence;
  return { pseudoLabels: await p.read(), confidence: [...(await c.read())], ...rest };
}

/** Distributions over m values: neighbour interpolation of the expectations, as rows. */
function interpolated(expectations: readonly number[], m: number): Float32Array<ArrayBuffer> {
  const targets = new Float32Array(expectations.length * m);
  expectations.forEach((expectation, i) => {
    const low = Math.min(m - 2, Math.floor(expectation));
    targets[i * m + low] = 1 - (expectation - low);
    targets[i * m + low + 1] = expectation - low;
  });
  return targets;
}

describe("symmetricGraph", () => {
  for (const [size, k] of [
    [37, 1],
    [130, 5],
    [517, 10],
  ] as const) {
    test(`${size} points, k = ${k}, equals the dense matrix`, async () => {
      const device = await sharedDevice();
      const { indices, weights } = randomLists(size, k, size);
      using matrix = upload(device, size, k, size);
      const { dense, sorted } = await readDense(matrix);
      expect(sorted).toBe(true);
      expect(relativeError(dense.flat(), denseGraph(indices, weights, size).flat())).toBeLessThan(1e-6);
    });
  }

  test("gives the same bits twice and keeps no buffers", async () => {
    const device = await sharedDevice();
    const before = device.memoryUse.usedBytes;
    const runs = [];
    for (let i = 0; i < 2; i++) {
      using matrix = upload(device, 5000, 4, 2);
      runs.push([await matrix.columns.readIndices(), new Uint32Array((await matrix.values.read()).buffer)]);
    }
    expect(runs[0]).toEqual(runs[1]);
    expect(device.memoryUse.usedBytes).toBe(before);
  });

  test("drops edges to itself and to points that do not exist; a point without edges stays alone", async () => {
    const device = await sharedDevice();
    using matrix = device.scope(() => {
      const indices = Tensor.from(device, Uint32Array.of(0, 1, 0, 2, 2, 99, 3, 3), [4, 2]);
      return symmetricGraph(indices, Tensor.from(device, [5, 1, 2, 0, 7, 3, 4, 4], [4, 2]));
    });
    const { dense } = await readDense(matrix);
    expect(relativeError(dense.flat(), [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).toBeLessThan(1e-6);
  });

  test("says what is wrong", async () => {
    const device = await plainDevice();
    device.scope(() => {
      // Four neighbours of so many points, both ways, are more than one binding holds.
      const points = Math.ceil(device.maximumBindingBytes / 32);
      const indices = Tensor.zeros(device, [points, 4], "u32");
      expect(() => symmetricGraph(indices, Tensor.zeros(device, [points, 3]))).toThrow("one shape [N, k]");
      expect(() => symmetricGraph(indices, Tensor.zeros(device, [points, 4]))).toThrow(`${points * 8} entries`);
    });
  });
});

describe("solve", () => {
  for (const gamma of [0.5, 0.9, 0.99]) {
    test(`equals elimination, gamma = ${gamma}`, async () => {
      const device = await sharedDevice();
      const [size, k, m] = [130, 5, 7];
      const { indices, weights } = randomLists(size, k, 4);
      using matrix = upload(device, size, k, 4);
      const y = randomSides(size, m);
      for (let i = 0; i < size; i++) y[i * m + 3] = 0;
      const found = await solveOnce(device, matrix, y, m, { gamma });
      const expected = eliminate(denseGraph(indices, weights, size), gamma, rowsOf(y, m)).flat();
      expect(found.converged).toBe(true);
      expect(found.residual).toBeLessThanOrEqual(1e-6);
      expect(found.iterations).toBeGreaterThan(1);
      expect(relativeError(found.z, expected)).toBeLessThan(1e-4);
    });
  }

  test("panels of columns where a binding is small, plain kernels", async () => {
    const device = await plainDevice();
    const [size, k, m] = [60, 4, 18];
    const { indices, weights } = randomLists(size, k, 6);
    using matrix = upload(device, size, k, 6);
    const y = randomSides(size, m);
    const found = await solveOnce(device, matrix, y, m, { gamma: 0.9 });
    const expected = eliminate(denseGraph(indices, weights, size), 0.9, rowsOf(y, m)).flat();
    expect(relativeError(found.z, expected)).toBeLessThan(1e-4);
  });

  test("reports when the iterations are used up", async () => {
    const device = await sharedDevice();
    using matrix = upload(device, 130, 5, 4);
    const found = await solveOnce(device, matrix, randomSides(130, 4), 4, { gamma: 0.99, maximumIterations: 3 });
    expect(found).toMatchObject({ iterations: 3, converged: false });
    expect(found.residual).toBeGreaterThan(1e-6);
  });

  test("gives the same bits twice, keeps no buffers, and has nothing to do for zeros", async () => {
    const device = await sharedDevice();
    using matrix = upload(device, 517, 10, 3);
    const before = device.memoryUse.usedBytes;
    const y = randomSides(517, 10);
    const first = await solveOnce(device, matrix, y, 10, { gamma: 0.99 });
    expect(await solveOnce(device, matrix, y, 10, { gamma: 0.99 })).toEqual(first);
    const nothing = await solveOnce(device, matrix, new Float32Array(517 * 4), 4, { gamma: 0.99 });
    expect(nothing).toEqual({ z: new Float32Array(517 * 4), iterations: 0, residual: 0, converged: true });
    expect(device.memoryUse.usedBytes).toBe(before);
  });

  test("says what is wrong", async () => {
    const device = await sharedDevice();
    using matrix = upload(device, 37, 3, 3);
    const y = randomSides(37, 4);
    const before = device.memoryUse.usedBytes;
    for (const gamma of [1, -0.1, Number.NaN]) {
      await expect(solveOnce(device, matrix, y, 4, { gamma })).rejects.toThrow("must lie in [0, 1)");
    }
    await expect(solveOnce(device, matrix, y, 4, { gamma: 0.5, tolerance: 0 })).rejects.toThrow("tolerance = 0");
    y[5] = Number.NaN;
    await expect(solveOnce(device, matrix, y, 4, { gamma: 0.5 })).rejects.toThrow(SolveError);
    await device.finish();
    expect(device.memoryUse.usedBytes).toBe(before);
  });
});

describe("propagate", () => {
  const rows = Array.from({ length: 30 }, (_, i) => (i * 7) % 130);
  const expectations = rows.map((_, i) => (i * 37.7) % 98.9);

  function graphOf(device: Device, points: number): SparseMatrix {
    return device.scope(() => {
      const features = Tensor.from(device, randomPoints(points, 8, 21), [points, 8]);
      const neighbours = nearestNeighbours(features, { k: 6 });
      return symmetricGraph(neighbours.indices, affinity(neighbours));
    });
  }

  test("pseudo-labels and confidences follow from the dense solution", async () => {
    const device = await sharedDevice();
    using graph = graphOf(device, 130);
    const m = 5;
    const targets = interpolated(
      expectations.map((value) => (value * 4) / 99),
      m,
    );
    const y = rowsOf(new Float32Array(130 * m), m);
    for (const [i, target] of rowsOf(targets, m).entries()) y[rows[i]!] = target;
    const z = eliminate((await readDense(graph)).dense, 0.9, y);
    const spread = z.map((row) => {
      const sum = row.reduce((total, value) => total + Math.max(0, value), 0);
      return row.map((value) => Math.max(0, value) / sum);
    });
    const entropy = (p: number[]) => -p.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0);
    const certain = spread.map((p) => 1 - entropy(p) / Math.log(m));
    const isKept = (i: number) => rows.includes(i);

    const kept = await propagateOnce(device, graph, rows, targets, { gamma: 0.9 });
    expect(kept).toMatchObject({ unreachable: 0, converged: true });
    expect(
      relativeError(
        kept.pseudoLabels,
        spread.flatMap((p, i) => (isKept(i) ? y[i]! : p)),
      ),
    ).toBeLessThan(1e-4);
    expect(
      relativeError(
        kept.confidence,
        certain.map((weight, i) => (isKept(i) ? 1 : weight)),
      ),
    ).toBeLessThan(1e-4);
    const all = await propagateOnce(device, graph, rows, targets, { gamma: 0.9, keepLabels: false });
    expect(relativeError(all.pseudoLabels, spread.flat())).toBeLessThan(1e-4);
    expect(relativeError(all.confidence, certain)).toBeLessThan(1e-4);
  });

  test("two right-hand sides reproduce the expectation of 100 columns", async () => {
    const device = await sharedDevice();
    using graph = graphOf(device, 130);
    const m = 100;
    const found = await propagateOnce(device, graph, rows, interpolated(expectations, m), { gamma: 0.99 });
    const sides = new Float32Array(130 * 2);
    for (const [i, row] of rows.entries()) sides.set([expectations[i]!, 1], row * 2);
    const { z } = await solveOnce(device, graph, sides, 2, { gamma: 0.99 });
    const unlabelled = rowsOf(found.pseudoLabels, m)
      .map((p, i) => ({ i, found: p.reduce((sum, share, j) => sum + j * share, 0) }))
      .filter(({ i }) => !rows.includes(i));
    const expected = unlabelled.map(({ i }) => z[i * 2]! / z[i * 2 + 1]!);
    expect(
      relativeError(
        unlabelled.map(({ found }) => found),
        expected,
      ),
    ).toBeLessThan(1e-4);
  });

  test("a component without labels gets the uniform distribution and confidence 0", async () => {
    const device = await sharedDevice();
    const indices = Uint32Array.from({ length: 40 }, (_, i) => (i < 25 ? (i + 1) % 25 : 25 + ((i - 24) % 15)));
    using graph = device.scope(() => {
      const weights = Tensor.from(device, new Float32Array(40).fill(1), [40, 1]);
      return symmetricGraph(Tensor.from(device, indices, [40, 1]), weights);
    });
    const found = await propagateOnce(device, graph, [3, 9], Float32Array.of(1, 0, 0, 0, 1, 0), { gamma: 0.99 });
    expect(found.unreachable).toBe(15);
    expect(found.confidence.slice(25)).toEqual(new Array(15).fill(0));
    expect(relativeError(found.pseudoLabels.subarray(75), new Array(45).fill(1 / 3))).toBeLessThan(1e-6);
    expect(found.confidence.slice(0, 25).every((weight) => weight > 0)).toBe(true);
    expect(found.confidence[3]).toBe(1);
    expect(rowsOf(found.pseudoLabels, 3)[9]).toEqual([0, 1, 0]);
  });

  test("windows of small bindings, plain kernels, give what the whole gives", async () => {
    const targets = interpolated([1.2, 5.5, 3, 0.3, 4.4], 7);
    const results = [];
    for (const device of [await sharedDevice(), await plainDevice()]) {
      const { indices, weights } = randomLists(80, 3, 14);
      using graph = device.scope(() =>
        symmetricGraph(Tensor.from(device, indices, [80, 3]), Tensor.from(device, weights, [80, 3])),
      );
      results.push(await propagateOnce(device, graph, [2, 11, 40, 66, 79], targets, { gamma: 0.9 }));
    }
    expect(relativeError(results[1]!.pseudoLabels, results[0]!.pseudoLabels)).toBeLessThan(1e-5);
    expect(relativeError(results[1]!.confidence, results[0]!.confidence)).toBeLessThan(1e-4);
  });

  test("gives the same bits twice, keeps no buffers, and says what is wrong", async () => {
    const device = await sharedDevice();
    using graph = graphOf(device, 130);
    const before = device.memoryUse.usedBytes;
    const targets = interpolated(expectations, 100);
    const first = await propagateOnce(device, graph, rows, targets, { gamma: 0.99 });
    expect(await propagateOnce(device, graph, rows, targets, { gamma: 0.99 })).toEqual(first);
    const wrong = (labelled: number[], gamma = 0.5) =>
      propagateOnce(device, graph, labelled, Float32Array.of(0, 1, 0, 1), { gamma });
    await expect(wrong([0, 130])).rejects.toThrow("labelled row 130");
    await expect(wrong([4, 4])).rejects.toThrow("row 4 is labelled twice");
    await expect(wrong([4, 5], 1)).rejects.toThrow("gamma = 1");
    await device.finish();
    expect(device.memoryUse.usedBytes).toBe(before);
  });
});

import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { nearestNeighbours } from "../../../engine/graph/neighbours.ts";
import { solve } from "../../../engine/graph/solve.ts";
import { symmetricGraph } from "../../../engine/graph/sparse.ts";
import { attention } from "../../../engine/ops/attention.ts";
import { batchedMatmul } from "../../../engine/ops/contraction/batched.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { linear } from "../../../engine/ops/contraction/matmul.ts";
import { batchNorm } from "../../../engine/ops/norm.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import type { Phase } from "../../../engine/profile/labels.ts";
import { profile } from "../../../engine/profile/profiler.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const devices = [
  ["with all features", await sharedDevice()],
  ["plain, with small bindings", await plainDevice()],
] as const;

describe.each(devices)("declared operations, %s", (_, device) => {
  /** A tensor of ones, to be differentiated. */
  const ones = (...shape: number[]) => {
    const tensor = Tensor.from(device, new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
    tensor.requiresGradient = true;
    return tensor;
  };

  /** Operations that were declared by the kernels of an op in a phase. */
  async function declared(op: string, work: () => Tensor, kernels = /./) {
    const differentiate = () => {
      backward(sum(work()));
    };
    const { profile: found } = await profile(device, () => device.scope(differentiate), { roofs: null });
    return (phase: Phase, kernel = kernels) =>
      found.kernels
        .filter((row) => row.op === op && row.phase === phase && kernel.test(row.kernel))
        .reduce((total, row) => total + (row.flops ?? 0) * row.calls, 0);
  }

  const convolution = /^conv\//;

  // Taps that fall outside the picture count, as in the usual formula 2 · N · OH · OW · KH · KW · C / groups · O.
  test.each([
    { size: [7, 9], channels: 3, columns: 3, kernel: [3, 3], stride: 1, padding: 1, groups: 1 },
    { size: [8, 9], channels: 4, columns: 4, kernel: [3, 3], stride: 2, padding: 1, groups: 1 },
    { size: [6, 7], channels: 4, columns: 4, kernel: [2, 3], stride: 3, padding: 0, groups: 1 },
    { size: [6, 7], channels: 6, columns: 6, kernel: [3, 3], stride: 2, padding: 1, groups: 6 },
    { size: [6, 7], channels: 6, columns: 4, kernel: [3, 3], stride: 1, padding: 1, groups: 2 },
  ])(
    "conv2d $size x $channels to $columns, kernel $kernel, stride $stride, padding $padding, groups $groups",
    async (c) => {
      const [images, [height, width]] = [2, c.size as [number, number]];
      const [kh, kw] = c.kernel as [number, number];
      const x = ones(images, height, width, c.channels);
      const weight = ones(kh, kw, c.channels / c.groups, c.columns);
      const options = { stride: c.stride, padding: c.padding, groups: c.groups };
      const flops = await declared("conv2d", () => conv2d(x, weight, options), convolution);

      const out = [height, width].map(
        (extent, axis) => Math.floor((extent + 2 * c.padding - c.kernel[axis]!) / c.stride) + 1,
      );
      const inner = c.channels / c.groups;
      let forward = 0;
      for (let n = 0; n < images; n++)
        for (let y = 0; y < out[0]!; y++)
          for (let x = 0; x < out[1]!; x++)
            for (let o = 0; o < c.columns; o++)
              for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) for (let k = 0; k < inner; k++) forward += 2;
      let input = 0;
      for (let n = 0; n < images; n++)
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++)
            for (let i = 0; i < kh; i++)
              for (let j = 0; j < kw; j++) {
                // dx meets dy where the tap lies on a step of the stride.
                if ((y + c.padding - i) % c.stride !== 0 || (x + c.padding - j) % c.stride !== 0) continue;
                for (let k = 0; k < c.channels; k++) for (let o = 0; o < c.columns / c.groups; o++) input += 2;
              }
      expect(flops("forward")).toBe(forward);
      expect(flops("backward", /weight_gradient/)).toBe(forward);
      expect(flops("backward")).toBe(forward + input);
    },
  );

  test("linear, with and without a width of whole vec4s", async () => {
    for (const [rows, inner, columns] of [
      [5, 7, 6],
      [8, 4, 12],
    ] as const) {
      const [x, weight, bias] = [ones(rows, inner), ones(inner, columns), ones(columns)];
      const flops = await declared("linear", () => linear(x, weight, bias), convolution);
      let product = 0;
      for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) for (let k = 0; k < inner; k++) product += 2;
      expect(flops("forward")).toBe(product);
      expect(flops("backward")).toBe(2 * product);
    }
  });

  test("batchedMatmul", async () => {
    const [a, b] = [ones(3, 5, 7), ones(3, 7, 6)];
    const flops = await declared("batchedMatmul", () => batchedMatmul(a, b), /^conv\//);
    let product = 0;
    for (let n = 0; n < 3; n++)
      for (let i = 0; i < 5; i++) for (let j = 0; j < 6; j++) for (let k = 0; k < 7; k++) product += 2;
    expect(flops("forward")).toBe(product);
    expect(flops("backward")).toBe(2 * product);
  });

  test("attention: two products forward, seven backward, and the row sums of dY ∘ Y", async () => {
    const [batch, queries, keys, heads, dimensions] = [2, 5, 7, 3, 8];
    const [q, k, v] = [
      ones(batch, queries, heads, dimensions),
      ones(batch, keys, heads, dimensions),
      ones(batch, keys, heads, dimensions),
    ];
    const flops = await declared("attention", () => attention(q, k, v), /^attention\//);
    let product = 0;
    let rowSums = 0;
    for (let n = 0; n < batch * heads; n++)
      for (let t = 0; t < queries; t++) {
        for (let s = 0; s < keys; s++) for (let d = 0; d < dimensions; d++) product += 2;
        for (let d = 0; d < dimensions; d++) rowSums += 2;
      }
    expect(flops("forward")).toBe(2 * product);
    expect(flops("backward")).toBe(7 * product + rowSums);
  });

  test("softmax and batchNorm, by element", async () => {
    const x = ones(6, 10);
    const rows = await declared("softmax", () => softmax(x), /^softmax\//);
    // A maximum, a difference, an exponential, a sum and a quotient; a product, a sum, a difference and a product.
    expect(rows("forward")).toBe(5 * 60);
    expect(rows("backward")).toBe(4 * 60);
    const state = { scale: ones(10), shift: ones(10), runningMean: ones(10), runningVariance: ones(10) };
    const norm = await declared(
      "batchNorm",
      () => batchNorm(x, state, { training: true }),
      /moments|apply|gradient(_sums)?$/,
    );
    expect(norm("forward")).toBe((4 + 3) * 60);
    expect(norm("backward")).toBe((4 + 5) * 60);
  });

  test("the graph: pairs looked at, and entries of the sparse product", async () => {
    const [points, channels, k, columns] = [60, 6, 3, 4];
    const features = Tensor.from(
      device,
      Float32Array.from({ length: points * channels }, (_, i) => Math.sin(i * i)),
      [points, channels],
    );
    const search = async () => {
      const { indices } = nearestNeighbours(features, { k });
      const ones = Tensor.from(device, new Float32Array(points * k).fill(1), [points, k]);
      using graph = symmetricGraph(indices, ones);
      const y = Tensor.from(
        device,
        Float32Array.from({ length: points * columns }, (_, i) => i % 3),
        [points, columns],
      );
      return (await solve(graph, y, { gamma: 0.5 })).iterations;
    };
    const { result: iterations, profile: found } = await profile(device, search, { roofs: null });
    const rows = found.kernels.filter((row) => row.phase === "graph");
    const total = (kernel: string) =>
      rows.filter((row) => row.kernel === kernel).reduce((flops, row) => flops + row.flops! * row.calls, 0);

    // Eight candidates a point: k + 4, rounded up to four. A difference and a multiply-add a channel.
    let pairs = 0;
    for (let i = 0; i < points; i++) for (let j = 0; j < 8; j++) for (let c = 0; c < channels; c++) pairs += 3;
    // Windows of the candidates are gone through one after the other, each with all pairs.
    const windows = rows.filter(({ kernel }) => kernel === "graph/pair");
    const looked = windows.reduce((flops, row) => flops + row.flops! * row.calls, 0);
    expect(looked % pairs).toBe(0);
    if (device.maximumBindingBytes > 2 ** 20) expect(looked).toBe(pairs);
    // Every pair of points is multiplied once, those within a block twice.
    if (device.maximumBindingBytes > 2 ** 20) {
      const products = rows.filter(({ kernel }) => kernel.startsWith("conv/"));
      let multiplied = 0;
      for (const { flops, calls } of products) multiplied += flops! * calls;
      const rounded = Math.ceil(points / 4) * 4;
      expect(multiplied).toBe(2 * rounded * points * channels);
    }
    // 2 · N · k entries, and p − γ · (…) and p · q for every row.
    let product = 0;
    for (let e = 0; e < 2 * points * k; e++) for (let c = 0; c < columns; c++) product += 2;
    for (let i = 0; i < points; i++) for (let c = 0; c < columns; c++) product += 2 + 2;
    expect(iterations).toBeGreaterThan(2);
    expect(total("graph/product")).toBe(iterations * product);
    // A row's sum of its entries, and two scales for each of them.
    let [degrees, scaled] = [0, 0];
    for (let e = 0; e < 2 * points * k; e++) [degrees, scaled] = [degrees + 1, scaled + 2];
    expect(total("graph/sort")).toBe(degrees);
    expect(total("graph/normalise")).toBe(scaled);
    // Σ r² at the start; then r − α q, z + α p, Σ r² and r + β p in each iteration.
    let [start, moved, turned] = [0, 0, 0];
    for (let i = 0; i < points * columns; i++) [start, moved, turned] = [start + 2, moved + 6, turned + 2];
    expect(total("graph/advance")).toBe(start + iterations * moved);
    expect(total("graph/direction")).toBe(iterations * turned);
  });
});

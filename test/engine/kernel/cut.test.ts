import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { overPart, partsOfGrid } from "../../../engine/kernel/cut.ts";
import { attention, selfAttention } from "../../../engine/ops/attention.ts";
import { batchedMatmul } from "../../../engine/ops/contraction/batched.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { linear, matmul } from "../../../engine/ops/contraction/matmul.ts";
import { cutout } from "../../../engine/ops/dropout.ts";
import { batchNorm } from "../../../engine/ops/norm.ts";
import { cropAndFlip } from "../../../engine/ops/pictures/image.ts";
import { averagePool2d, globalAveragePool, maxPool2d } from "../../../engine/ops/pool.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { type Run, runWithGradients } from "../check.ts";
import { sharedDevice } from "../device.ts";

test("parts of a grid cover it once", () => {
  expect(partsOfGrid([3, 4, 5], 5)).toEqual([{ grid: [3, 4, 5], first: [0, 0, 0] }]);
  for (const [grid, most] of [
    [[7, 1, 1], 3],
    [[5, 11, 4], 4],
    [[1, 65_536, 70_000], 65_535],
  ] as const) {
    const parts = partsOfGrid(grid, most);
    const groups = parts.reduce((sum, { grid: [x, y, z] }) => sum + x * y * z, 0);
    expect(groups).toBe(grid[0] * grid[1] * grid[2]);
    for (const part of parts) {
      for (const axis of [0, 1, 2]) {
        expect(part.grid[axis]).toBeLessThanOrEqual(most);
        expect(part.first[axis]! + part.grid[axis]!).toBeLessThanOrEqual(grid[axis]!);
      }
    }
    expect(new Set(parts.map(({ first }) => first.join())).size).toBe(parts.length);
  }
});

test("a kernel that counts its workgroups is not cut", () => {
  const head = "struct Params {\n  rows: u32,\n}\n@compute @workgroup_size(8)\n";
  const main = "fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {\n}";
  expect(overPart(head + main, [8, 1, 1], "k.wgsl")).toContain(
    "let id = id_in_part + vec3u(params.first_group_x, params.first_group_y, params.first_group_z) * vec3u(8u, 1u, 1u);",
  );
  const counting = main.replace("group:", "groups:").replace("workgroup_id", "num_workgroups");
  expect(() => overPart(head + counting, [8, 1, 1], "k.wgsl")).toThrow("does not count its workgroups");
});

let limited: Promise<Device> | undefined;

/** A device that is taken to have grids of at most so many workgroups along an axis. */
const most = 8;
function limitedDevice(): Promise<Device> {
  limited ??= openDevice().then((device) => Object.defineProperty(device, "mostWorkgroups", { value: most }));
  return limited;
}

interface Operation {
  readonly shapes: readonly (readonly number[])[];
  readonly run: Run;
}

const operations: Readonly<Record<string, Operation>> = {
  maxPool2d: { shapes: [[2, 21, 9, 8]], run: ([x]) => maxPool2d(x!, { kernel: 3, stride: 2, padding: 1 }) },
  "maxPool2d, wide": { shapes: [[1, 1, 600, 1]], run: ([x]) => maxPool2d(x!, { kernel: 1 }) },
  "averagePool2d, many pictures": { shapes: [[11, 5, 3, 3]], run: ([x]) => averagePool2d(x!, { kernel: 2 }) },
  averagePool2d: { shapes: [[1, 19, 9, 4]], run: ([x]) => averagePool2d(x!, { kernel: 3, stride: 1, padding: 1 }) },
  globalAveragePool: { shapes: [[10, 11, 2, 6]], run: ([x]) => globalAveragePool(x!) },
  "attention, many heads": {
    shapes: Array(3).fill([2, 3, 19, 4]),
    run: ([q, k, v]) => attention(q!, k!, v!),
  },
  "attention, long and in a batch": {
    shapes: [
      [9, 5, 2, 8],
      [9, 7, 2, 8],
      [9, 7, 2, 8],
    ],
    run: ([q, k, v]) => attention(q!, k!, v!),
  },
  "attention, many queries": {
    shapes: [
      [1, 600, 1, 4],
      [1, 3, 1, 4],
      [1, 3, 1, 4],
    ],
    run: ([q, k, v]) => attention(q!, k!, v!),
  },
  selfAttention: { shapes: [[1, 6, 3, 13, 4]], run: ([x]) => selfAttention(x!) },
  "matmul, wide": {
    shapes: [
      [1, 4],
      [4, 1000],
    ],
    run: ([a, b]) => matmul(a!, b!),
  },
  "linear, tall": { shapes: [[900, 4], [4, 4], [4]], run: ([x, w, b]) => linear(x!, w!, b) },
  batchedMatmul: {
    shapes: [
      [17, 3, 5],
      [17, 5, 6],
    ],
    run: ([a, b]) => batchedMatmul(a!, b!),
  },
  conv2d: {
    shapes: [
      [1, 31, 31, 4],
      [3, 3, 4, 4],
    ],
    run: ([x, w]) => conv2d(x!, w!, { padding: 1 }),
  },
  "conv2d with strides": {
    shapes: [
      [2, 25, 21, 4],
      [3, 3, 4, 8],
    ],
    run: ([x, w]) => conv2d(x!, w!, { padding: 1, stride: 2 }),
  },
  cutout: {
    shapes: [[3, 11, 10, 3]],
    run: ([x]) => cutout(x!, Array(3).fill({ top: 2, left: 3, height: 7, width: 5 })),
  },
  cropAndFlip: {
    shapes: [[9, 12, 12, 3]],
    run: ([x]) => cropAndFlip(x!, Array(9).fill({ top: 1, left: 2, flip: true }), 11, 9),
  },
  "softmax of many rows": { shapes: [[700, 5]], run: ([x]) => softmax(x!) },
};

describe(`grids beyond what the adapter takes give the same bits as one grid (here ${most} workgroups along an axis)`, () => {
  for (const [name, { shapes, run }] of Object.entries(operations)) {
    test(name, async () => {
      const inputs = shapes.map((shape, seed) => ({ shape: [...shape], seed }));
      const device = await limitedDevice();
      const before = device.stream.dispatches;
      const found = await runWithGradients(device, inputs, run);
      const inParts = device.stream.dispatches - before;
      const whole = await sharedDevice();
      const wholeBefore = whole.stream.dispatches;
      const expected = await runWithGradients(whole, inputs, run);
      expect(found).toEqual(expected);
      if (name !== "softmax of many rows") expect(inParts).toBeGreaterThan(whole.stream.dispatches - wholeBefore);
    }, 120_000);
  }
});

describe("shapes beyond 65,535 workgroups along an axis", () => {
  const ramp = (length: number, of: number) => Float32Array.from({ length }, (_, i) => (i * 7) % of);

  test("a picture of 70,000 lines is pooled, forward and backward", async () => {
    const device = await sharedDevice();
    const lines = 70_000;
    const values = ramp(lines, 101);
    for (const [pool, of] of [
      [maxPool2d, Math.max],
      [averagePool2d, (a: number, b: number) => (a + b) / 2],
    ] as const) {
      const reads = device.scope(() => {
        const x = Tensor.from(device, values, [1, lines, 1, 1]);
        x.requiresGradient = true;
        const y = pool(x, { kernel: [2, 1], stride: 1 });
        backward(sum(y));
        return { y: y.read(), dx: x.gradient!.read() };
      });
      const [y, dx] = [await reads.y, await reads.dx];
      expect([...y]).toEqual(Array.from({ length: lines - 1 }, (_, i) => of(values[i]!, values[i + 1]!)));
      expect(dx.reduce((a, b) => a + b)).toBe(lines - 1);
      expect(dx.at(-1)).toBe(pool === averagePool2d ? 0.5 : Number(values.at(-1)! > values.at(-2)!));
    }
  });

  test("4.3 M channels and a line of 4.3 M places are pooled", async () => {
    const device = await sharedDevice();
    const count = 4_300_001;
    const values = ramp(count, 1009);
    const reads = device.scope(() => ({
      channels: globalAveragePool(Tensor.from(device, values, [1, 1, 1, count])).read(),
      places: maxPool2d(Tensor.from(device, values, [1, 1, count, 1]), { kernel: 1 }).read(),
    }));
    for (const found of [await reads.channels, await reads.places])
      expect(Buffer.from(found.buffer).equals(Buffer.from(values.buffer))).toBe(true);
  }, 120_000);

  test("70,000 pictures, and as many entries and heads of attention", async () => {
    const device = await sharedDevice();
    const many = 70_000;
    const values = ramp(4 * many, 13);
    const reads = device.scope(() => {
      const ofOneKey = (shape: number[]) => {
        const v = Tensor.from(device, values, shape);
        v.requiresGradient = true;
        const q = Tensor.zeros(device, shape);
        const y = attention(q, q, v);
        backward(sum(y));
        return [y.read(), v.gradient!.read()] as const;
      };
      const pictures = globalAveragePool(Tensor.from(device, values, [many, 1, 1, 4])).read();
      return { pictures, heads: ofOneKey([1, 1, many, 4]), entries: ofOneKey([many, 1, 1, 4]) };
    });
    expect(Buffer.from((await reads.pictures).buffer).equals(Buffer.from(values.buffer))).toBe(true);
    // One key has all the weight: y = v, dv = dy.
    for (const [y, dv] of [reads.heads, reads.entries]) {
      expect(Buffer.from((await y).buffer).equals(Buffer.from(values.buffer))).toBe(true);
      expect((await dv).every((value) => value === 1)).toBe(true);
    }
  }, 120_000);

  test("a matrix product of 4.3 M columns", async () => {
    const device = await sharedDevice();
    const columns = 4_300_000;
    const values = ramp(columns, 1009);
    const reads = device.scope(() => ({
      y: matmul(Tensor.from(device, [3], [1, 1]), Tensor.from(device, values, [1, columns])).read(),
    }));
    const y = await reads.y;
    expect(Buffer.from(y.buffer).equals(Buffer.from(values.map((value) => 3 * value).buffer))).toBe(true);
  }, 120_000);

  test("a norm of 4.3 M channels has the moments of all", async () => {
    const device = await sharedDevice();
    const channels = 4_300_000;
    const values = ramp(2 * channels, 1009);
    const reads = device.scope(() => {
      const per = (value: number) => Tensor.from(device, new Float32Array(channels).fill(value), [channels]);
      const state = { scale: per(1), shift: per(0), runningMean: per(0), runningVariance: per(1) };
      const x = Tensor.from(device, values, [2, channels]);
      batchNorm(x, state, { training: true, momentum: 1 });
      return { mean: state.runningMean.read() };
    });
    const mean = await reads.mean;
    const expected = Float32Array.from({ length: channels }, (_, c) => (values[c]! + values[channels + c]!) / 2);
    expect(Buffer.from(mean.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  }, 120_000);
});

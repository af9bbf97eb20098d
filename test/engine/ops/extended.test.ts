import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import * as activations from "../../../engine/ops/activations.ts";
import { add, atLeast, divide, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { cumulativeSum } from "../../../engine/ops/cumulative-sum.ts";
import { gatherRows } from "../../../engine/ops/gather.ts";
import { concat, pad, permute, slice } from "../../../engine/ops/join.ts";
import { layerNorm } from "../../../engine/ops/layer-norm.ts";
import { cosineSimilarity, l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { argmax, argmin, topK } from "../../../engine/ops/top-k.ts";
import * as unary from "../../../engine/ops/unary.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, formula, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const broadcasting = { add, divide, multiply, subtract };

const order = ({ axis = -1, smallest = false }) => ({ axis, largest: !smallest });

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  switch (operation) {
    case "gelu":
      return ([x]) => activations.gelu(x!, options);
    case "pow":
      return ([x]) => unary.pow(x!, options.exponent);
    case "broadcast":
      return ([a, b]) => broadcasting[options.op as "add"](a!, b!);
    case "concat":
      return (tensors) => concat(tensors, options.axis);
    case "slice":
      return ([x]) => slice(x!, options.starts, options.ends);
    case "pad":
      return ([x]) => pad(x!, options.before, options.after, options.value);
    case "permute":
      return ([x]) => permute(x!, options.axes);
    case "layerNorm":
      return ([x, scale, shift]) => layerNorm(x!, scale!, shift!, options.epsilon);
    case "l2Normalise":
      return ([x]) => l2Normalise(x!, options.epsilon, options.axis);
    case "cosineSimilarity":
      return ([a, b]) => cosineSimilarity(a!, b!);
    case "gatherRows":
      return ([table]) =>
        gatherRows(table!, Tensor.from(table!.device, Uint32Array.from(options.indices), [options.indices.length]));
    case "topK":
      return ([x]) => topK(x!, options.k, order(options)).values;
    case "cumulativeSum":
      return ([x]) => cumulativeSum(x!, options.axis, options.scan);
    default: {
      const operationOf = { ...unary, ...activations } as unknown as Record<string, (x: Tensor) => Tensor>;
      return ([x]) => operationOf[operation]!(x!);
    }
  }
}

const cases = goldenCases("extended");
const name = ({ operation, inputs, options }: GoldenCase) => {
  const shown = JSON.stringify({ ...options, indices: undefined, largest: undefined });
  return `${operation} ${inputs.map((input) => `[${input.shape}]`).join(" ")} ${shown}`;
};

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await sharedDevice(), golden, runner(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await plainDevice(), golden, runner(golden)));
  }
});

describe("against finite differences", () => {
  const seen = new Set<string>();
  for (const golden of cases) {
    // Where the step changes the order of elements, topK has no slope: its small case alone is far enough from that.
    const kind = golden.operation === "topK" ? "topK" : `${golden.operation} ${JSON.stringify(golden.options)}`;
    if (seen.has(kind) || golden.output.length < 4) continue;
    seen.add(kind);
    test(name(golden), async () => checkDifferences(await sharedDevice(), golden.inputs, runner(golden)));
  }
});

describe("atLeast", () => {
  const numbers = [0, -0, 1, 1, -2, 3.5, Infinity, -Infinity, Infinity, NaN, NaN, 1];
  const others = [0, 0, 1 + 2 ** -23, 1, -1, 3.5, Infinity, Infinity, -Infinity, NaN, 0, NaN];
  const ofHost = (a: number, b: number) => (a >= b ? 1 : 0);

  test.each([
    ["all features", sharedDevice],
    ["plain kernels", plainDevice],
  ])("is the comparison of the host, NaN being at least nothing: %s", async (_, open) => {
    const device = await open();
    const cases: [number[], number[], number[], number[]][] = [
      [numbers, [12], others, [12]],
      [numbers, [3, 4], others.slice(0, 4), [4]],
      [numbers, [4, 3], others.slice(8, 11), [3]],
      [numbers, [12], others.slice(9, 10), [1]],
      [numbers.slice(0, 3), [3, 1], others, [1, 12]],
    ];
    for (const [a, shapeA, b, shapeB] of cases) {
      const y = await device.scope(() => {
        const compared = atLeast(Tensor.from(device, a, shapeA), Tensor.from(device, b, shapeB));
        return { shape: compared.shape, read: compared.read() };
      });
      const columns = y.shape.at(-1)!;
      const at = (values: number[], shape: number[], i: number) =>
        shape.at(-1) === 1
          ? values[shape.length > 1 ? Math.floor(i / columns) : 0]!
          : values[shape.length > 1 && shape[0]! > 1 ? i : i % columns]!;
      const expected = Array.from({ length: y.shape.reduce((p, n) => p * n) }, (__, i) =>
        ofHost(at(a, shapeA, i), at(b, shapeB, i)),
      );
      expect([...(await y.read)]).toEqual(expected);
    }
  });

  test("has no gradient", async () => {
    const device = await sharedDevice();
    device.scope(() => {
      const x = Tensor.from(device, [1, 2], [2]);
      x.requiresGradient = true;
      expect(atLeast(x, Tensor.zeros(device, [2])).tracked).toBe(false);
    });
  });
});

describe("activations far from 0", () => {
  /** erfc by its continued fraction for large z and by its series for small, in float64. */
  const erfc = (z: number): number => {
    if (z < 0) return 2 - erfc(-z);
    if (z < 2) {
      let [term, total] = [z, z];
      for (let n = 1; n < 60; n++) {
        term *= -(z * z) / n;
        total += term / (2 * n + 1);
      }
      return 1 - (2 / Math.sqrt(Math.PI)) * total;
    }
    let fraction = z;
    for (let n = 80; n > 0; n--) fraction = z + n / 2 / fraction;
    return Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction);
  };

  test("the error function in gelu is accurate to 1e-6, and to 1e-5 of the value in the tail", async () => {
    const device = await sharedDevice();
    const x = Float32Array.from({ length: 16001 }, (_, i) => (i - 8000) / 1000);
    const read = async (f: (x: Tensor) => Tensor) =>
      device.scope(() => ({ read: f(Tensor.from(device, x, [x.length])).read() })).read;
    const [found, share] = [await read(activations.gelu), await read(unary.normalCdf)];
    x.forEach((value, i) => {
      if (value === 0) return;
      const expected = erfc(-value / Math.SQRT2) / 2;
      const error = Math.abs(found[i]! / value - expected);
      expect(Math.abs(share[i]! - expected)).toBeLessThan(Math.min(0.5e-6, 1e-5 * expected));
      expect(error).toBeLessThan(0.5e-6);
      expect(error).toBeLessThan(1e-5 * expected);
    });
  });

  test("values and slopes stay finite and reach their limits", async () => {
    const device = await sharedDevice();
    const x = [-3e18, -1e4, -100, 100, 1e4, 3e18];
    const low = [0, 0, 0];
    const limits: [(x: Tensor) => Tensor, number[], number[]][] = [
      [(t) => activations.gelu(t), [...low, ...x.slice(3)], [...low, 1, 1, 1]],
      [(t) => activations.gelu(t, { approximate: "tanh" }), [...low, ...x.slice(3)], [...low, 1, 1, 1]],
      [activations.silu, [...low, ...x.slice(3)], [...low, 1, 1, 1]],
      [activations.sigmoid, [...low, 1, 1, 1], [0, 0, 0, 0, 0, 0]],
      [unary.normalCdf, [...low, 1, 1, 1], [0, 0, 0, 0, 0, 0]],
      [unary.tanh, [-1, -1, -1, 1, 1, 1], [0, 0, 0, 0, 0, 0]],
      [activations.hardswish, [...low, ...x.slice(3)], [...low, 1, 1, 1]],
      [activations.relu6, [...low, 6, 6, 6], [0, 0, 0, 0, 0, 0]],
    ];
    for (const [run, values, slopes] of limits) {
      const reads = device.scope(() => {
        const input = Tensor.from(device, x, [6]);
        input.requiresGradient = true;
        const y = run(input);
        backward(sum(y));
        return { y: y.read(), slope: input.gradient!.read() };
      });
      const [y, slope] = [await reads.y, await reads.slope];
      for (let i = 0; i < 6; i++) {
        expect(Math.abs(y[i]! - values[i]!)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(values[i]!)));
        expect(Math.abs(slope[i]! - slopes[i]!)).toBeLessThan(1e-6);
      }
    }
  });
});

test("indices are joined, cut, surrounded and permuted as they are", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    // Small whole numbers are denormal as f32, the others NaN.
    const x = Tensor.from(device, Uint32Array.of(1, 2, 3, 0xffffffff, 0x7fc00001, 6), [2, 3]);
    return {
      joined: concat([x, x], 1).readIndices(),
      cut: slice(x, [0, 1], [2, 3]).readIndices(),
      around: pad(x, [0, 0], [0, 1], 9).readIndices(),
      permuted: permute(x, [1, 0]).readIndices(),
    };
  });
  const [a, b] = [
    [1, 2, 3],
    [0xffffffff, 0x7fc00001, 6],
  ] as const;
  expect([...(await reads.joined)]).toEqual([...a, ...a, ...b, ...b]);
  expect([...(await reads.cut)]).toEqual([2, 3, 0x7fc00001, 6]);
  expect([...(await reads.around)]).toEqual([...a, 9, ...b, 9]);
  expect([...(await reads.permuted)]).toEqual([1, 0xffffffff, 2, 0x7fc00001, 3, 6]);
});

describe("indices", () => {
  const rows = (device: Device, data: number[], shape: number[]) => Tensor.from(device, data, shape);

  for (const golden of cases.filter(({ operation }) => operation === "topK")) {
    test(`${name(golden)} and its first`, async () => {
      for (const device of [await sharedDevice(), await plainDevice()]) {
        const reads = device.scope(() => {
          const x = Tensor.from(device, formula(golden.inputs[0]!), golden.inputs[0]!.shape);
          const { axis, k, smallest } = golden.options;
          const place = smallest ? argmin : argmax;
          return {
            top: topK(x, k, order(golden.options)).indices.readIndices(),
            first: place(x, axis).readIndices(),
            kept: place(x, axis, { keepDims: true }).shape,
          };
        });
        expect([...(await reads.top)]).toEqual(golden.options.indices);
        expect([...(await reads.first)]).toEqual(golden.options.largest);
        expect(reads.kept).toEqual(golden.inputs[0]!.shape.with(golden.options.axis ?? -1, 1));
      }
    });
  }

  test("equal elements come by smaller index, −0 equals 0, NaN is first, infinities are ordered", async () => {
    const device = await sharedDevice();
    const reads = device.scope(() => {
      const ties = rows(device, [2, 5, 5, 2, 5, -0, 0, -0], [2, 4]);
      const special = rows(device, [-Infinity, 1, Number.NaN, Infinity, Number.NaN], [5]);
      return {
        ties: topK(ties, 4).indices.readIndices(),
        largest: argmax(ties).readIndices(),
        special: topK(special, 5).indices.readIndices(),
        up: topK(special, 5, { largest: false }).indices.readIndices(),
        smallest: argmin(special).readIndices(),
        last: argmax(ties, 1, { last: true }).readIndices(),
        least: argmin(ties, -1, { last: true }).readIndices(),
      };
    });
    expect([...(await reads.ties)]).toEqual([1, 2, 0, 3, 0, 1, 2, 3]);
    expect([...(await reads.largest)]).toEqual([1, 0]);
    expect([...(await reads.special)]).toEqual([2, 4, 3, 1, 0]);
    expect([...(await reads.up)]).toEqual([0, 1, 3, 2, 4]);
    expect([...(await reads.smallest)]).toEqual([2]);
    expect([...(await reads.last)]).toEqual([2, 0]);
    expect([...(await reads.least)]).toEqual([3, 3]);
  });

  test("of equal elements of a long row the first or the last is found", async () => {
    const device = await sharedDevice();
    const reads = device.scope(() => {
      const x = new Float32Array(1001);
      for (const at of [130, 131, 778, 900]) x[at] = 1;
      const row = rows(device, [...x], [1001]);
      return {
        top: topK(row, 5).indices.readIndices(),
        first: argmax(row).readIndices(),
        last: argmax(row, 0, { last: true }).readIndices(),
      };
    });
    expect([...(await reads.top)]).toEqual([130, 131, 778, 900, 0]);
    expect([...(await reads.first), ...(await reads.last)]).toEqual([130, 900]);
  });

  test("an index beyond the table gives zeros and no gradient", async () => {
    const device = await sharedDevice();
    const reads = device.scope(() => {
      const table = rows(device, [1, 2, 3, 4], [2, 2]);
      table.requiresGradient = true;
      const y = gatherRows(table, Tensor.from(device, Uint32Array.of(1, 2, 0xffffffff, 1), [2, 2]));
      expect(y.shape).toEqual([2, 2, 2]);
      backward(sum(y));
      return { y: y.read(), gradient: table.gradient!.read() };
    });
    expect([...(await reads.y)]).toEqual([3, 4, 0, 0, 0, 0, 3, 4]);
    expect([...(await reads.gradient)]).toEqual([0, 0, 2, 2]);
  });

  test("the gradient of a much used row has the same bits each time", async () => {
    const device = await sharedDevice();
    const gradient = () =>
      device.scope(() => {
        const table = Tensor.zeros(device, [3, 4]);
        table.requiresGradient = true;
        const indices = Uint32Array.from({ length: 5000 }, (_, i) => (i % 7 === 0 ? 2 : 1));
        const y = gatherRows(table, Tensor.from(device, indices, [5000]));
        backward(sum(multiply(y, Tensor.from(device, formula({ shape: [5000, 4], seed: 3 }), [5000, 4]))));
        return { read: table.gradient!.read() };
      }).read;
    const first = await gradient();
    for (let i = 0; i < 3; i++) expect([...(await gradient())]).toEqual([...first]);
  });
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
  const indices = (...shape: number[]) => Tensor.zeros(device, shape, "u32");
  const wrong: [() => unknown, typeof ShapeError | typeof RangeError, string][] = [
    [() => activations.gelu(indices(3)), ShapeError, "found u32 [3]"],
    [() => unary.pow(zeros(3), Number.NaN), RangeError, "got NaN"],
    [() => add(zeros(2, 3), zeros(2)), ShapeError, "[2,3] and [2] cannot be broadcast: 3 against 2"],
    [() => multiply(zeros(2, 3), indices(3)), ShapeError, "u32 [3]"],
    [
      () => add(zeros(2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2), zeros(1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1)),
      ShapeError,
      "11 axes, at most 10",
    ],
    [() => concat([]), ShapeError, "at least one"],
    [() => concat([zeros(2, 3), zeros(2, 4)], 0), ShapeError, "[2,4] does not go with f32 [2,3]"],
    [() => concat([zeros(2), indices(2)]), ShapeError, "u32 [2]"],
    [() => concat([zeros(2, 3)], 2), ShapeError, "no axis 2"],
    [() => slice(zeros(4, 5), [0], [1]), ShapeError, "needs 2 starts"],
    [() => slice(zeros(4, 5), [0, 3], [4, 2]), ShapeError, "3 to 2 is no part of axis 1"],
    [() => slice(zeros(4, 5), [-5, 0], [4, 5]), ShapeError, "-5 to 4"],
    [() => slice(zeros(4, 5), [0, 0], [5, 5]), ShapeError, "0 to 5 is no part of axis 0"],
    [() => pad(zeros(4), [-1], [0]), ShapeError, "found [-1]"],
    [() => permute(zeros(2, 3), [0, 0]), ShapeError, "[0,0] is not a permutation"],
    [() => permute(zeros(1, 1, 1, 1, 1, 1, 1), [0, 1, 2, 3, 4, 5, 6]), ShapeError, "at most 6 axes"],
    [() => layerNorm(zeros(2, 3), zeros(4), zeros(3)), ShapeError, "scale has 4 elements for 3 channels"],
    [() => layerNorm(zeros(2, 3), zeros(3), zeros(3), -1), RangeError, "got -1"],
    [() => gatherRows(zeros(2, 3), zeros(4)), ShapeError, "found f32 [4]"],
    [() => gatherRows(zeros(2, 3, 4), indices(4)), ShapeError, "[2,3,4]"],
    [() => topK(zeros(2, 3), 4), ShapeError, "k = 4"],
    [() => topK(zeros(2, 3), 0), ShapeError, "k = 0"],
    [() => argmax(indices(3)), ShapeError, "found u32 [3]"],
    [() => cumulativeSum(indices(3)), ShapeError, "found u32 [3]"],
    [() => cumulativeSum(zeros(2, 3), 2), ShapeError, "[2,3] has no axis 2"],
    [() => topK(zeros(2, 3), 3, { axis: 0 }), ShapeError, "from 1 to 2"],
    [() => argmin(zeros(2, 3), 0.5), ShapeError, "[2,3] has no axis 0.5"],
    [() => l2Normalise(zeros(3), 0), RangeError, "got 0"],
    [() => cosineSimilarity(zeros(2, 3), zeros(3, 2)), ShapeError, "differ"],
  ];
  for (const [work, kind, text] of wrong) {
    let error: unknown;
    try {
      device.scope(() => {
        work();
      });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(text);
  }
});

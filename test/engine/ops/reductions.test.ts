import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import * as engine from "../../../engine/index.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const { amax, amin, logSumExp, product, sum, Tensor, standardDeviation, variance } = engine;

const cases = goldenCases("reductions");
const reductions = { sum, mean: engine.mean, amax, amin, logSumExp, product, variance, standardDeviation };

function run({ operation, options: { axes, options } }: GoldenCase): Run {
  return ([x]) => reductions[operation as "sum"](x!, axes ?? undefined, options);
}

const title = ({ operation, options, inputs }: GoldenCase) =>
  `${operation} [${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  // Where one stands beside each element, as in a variance or a gradient, a row must fit a window.
  const fits = ({ operation, inputs }: GoldenCase) =>
    operation === "sum" || operation === "mean" || inputs[0]!.shape.reduce((a, b) => a * b) <= 500;
  for (const golden of cases.filter(fits)) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden)));
  }
});

describe("finite differences", () => {
  for (const operation of Object.keys(reductions)) {
    const golden = cases.find((each) => each.operation === operation && each.options.axes?.length === 2)!;
    test(title(golden), async () =>
      checkDifferences(await sharedDevice(), golden.inputs, run(golden), { step: 1e-3, tolerance: 1e-2 }),
    );
  }
});

/** y and dx of an operation on rows of numbers, with dy = 1. */
async function pass(rows: readonly (readonly number[])[], work: (x: engine.Tensor) => engine.Tensor) {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, rows.flat(), [rows.length, rows[0]!.length]);
    x.requiresGradient = true;
    const y = work(x);
    backward(sum(y));
    return { y: y.read(), dx: x.gradient!.read() };
  });
  return { y: [...(await reads.y)], dx: [...(await reads.dx)] };
}

test("equal extremes share the gradient, as in PyTorch", async () => {
  const rows = [
    [2, 5, 5, 1],
    [1, 1, 1, 1],
  ];
  expect(await pass(rows, (x) => amax(x, 1))).toEqual({ y: [5, 1], dx: [0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25] });
  expect((await pass(rows, (x) => amin(x))).dx).toEqual([0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.2].map(Math.fround));
  expect((await pass(rows, (x) => amax(x, []))).dx).toEqual(Array(8).fill(1));
});

test("the logarithm of a sum of exponentials takes numbers of any size, as PyTorch's", async () => {
  const { POSITIVE_INFINITY: infinity, NaN: none } = Number;
  const rows = [
    [1, infinity],
    [-infinity, -infinity],
    [-infinity, 2],
    [none, 1],
    [infinity, -infinity],
    [-3e38, 3e38],
  ];
  const { y, dx } = await pass(rows, (x) => logSumExp(x, 1));
  expect(y).toEqual([infinity, -infinity, 2, none, infinity, Math.fround(3e38)]);
  expect(dx).toEqual([0, none, none, none, 0, 1, none, none, none, 0, 0, 1]);
  const large = await pass([[1000, 1000, 1001]], (x) => logSumExp(x));
  expect(large.y[0]).toBeCloseTo(1001.5514447, 3);
});

test("a product knows its slope where elements are 0", async () => {
  const rows = [
    [2, 0, 3],
    [0, 0, 3],
    [2, 4, 3],
  ];
  expect(await pass(rows, (x) => product(x, 1))).toEqual({ y: [0, 0, 24], dx: [0, 6, 0, 0, 0, 0, 12, 6, 8] });
});

test("equal elements have no deviation and no slope", async () => {
  const rows = [
    [3, 3, 3],
    [1, 2, 3],
  ];
  const { y, dx } = await pass(rows, (x) => standardDeviation(x, 1));
  expect(y).toEqual([0, 1]);
  expect(dx.slice(0, 3).map(Math.abs)).toEqual([0, 0, 0]);
  expect(dx[3]).toBeCloseTo(-0.5, 6);
});

test("numbers far from 0 keep their variance", async () => {
  const { y } = await pass([Array.from({ length: 1000 }, (_, i) => 4096 + (i % 2))], (x) =>
    variance(x, 1, { correction: 0 }),
  );
  expect(y[0]).toBeCloseTo(0.25, 6);
});

test("long axes find their extremes, NaN first", async () => {
  const device = await sharedDevice();
  const numbers = Float32Array.from({ length: 200_000 }, (_, i) => Math.sin(i));
  numbers[130_001] = 7;
  numbers[99_999] = -7;
  const reads = device.scope(() => {
    const x = Tensor.from(device, numbers, [2, 100_000]);
    const broken = Tensor.from(device, numbers.with(70_000, Number.NaN), [2, 100_000]);
    return {
      most: amax(x, 1).read(),
      least: amin(x).read(),
      nan: amax(broken, -1).read(),
      none: amin(broken, -1).read(),
    };
  });
  expect([...(await reads.most)]).toEqual([Math.fround(numbers.slice(0, 100_000).reduce((a, b) => Math.max(a, b))), 7]);
  expect([...(await reads.least)]).toEqual([-7]);
  expect([...(await reads.nan)]).toEqual([Number.NaN, 7]);
  expect((await reads.none)[0]).toBeNaN();
});

test("says what does not fit", async () => {
  const device = await sharedDevice();
  const ofWholes = ["sum", "product", "amax", "amin"];
  device.scope(() => {
    const x = Tensor.zeros(device, [2, 3, 4]);
    for (const [name, reduction] of Object.entries(reductions)) {
      expect(() => reduction(x, 3)).toThrow(`${name}: [2,3,4] has no axis 3`);
      expect(() => reduction(x, [0, -3])).toThrow(`${name}: axis 0 of [2,3,4] is named twice in [0,-3]`);
      expect(() => reduction(x, 0, { keepdims: true } as never)).toThrow('did you mean "keepDims"?');
      if (!ofWholes.includes(name)) expect(() => reduction(Tensor.zeros(device, [2], "u32"))).toThrow("u32");
    }
    expect(() => variance(x, 0, { correction: 2 })).toThrow("of 2 elements of [2,3,4] less 2 there is no variance");
  });
});

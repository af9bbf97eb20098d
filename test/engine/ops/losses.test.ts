import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "../../../engine/ops/losses.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import {
  checkDifferences,
  checkGolden,
  type FormulaInput,
  formula,
  type GoldenCase,
  goldenCases,
  type Run,
} from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const cases = goldenCases("losses");
const distances = { softCrossEntropy, klDivergence, earthMoversDistance };

/** Rows of distributions as test/golden/losses.py makes them. */
function distributions(device: Device, input: FormulaInput, sparse: boolean): Tensor {
  const [rows, m] = input.shape as [number, number];
  const values = formula(input);
  for (let row = 0; row < rows; row++) {
    let p = [...values.subarray(row * m, (row + 1) * m)].map(Math.exp);
    const median = p.toSorted((a, b) => a - b)[Math.floor((m - 1) / 2)]!;
    if (sparse) p = p.map((value) => (value < median ? 0 : value));
    const total = p.reduce((a, b) => a + b);
    values.set(
      p.map((value) => value / total),
      row * m,
    );
  }
  return Tensor.from(device, values, input.shape);
}

function levels(device: Device, m: number): Tensor {
  return Tensor.from(
    device,
    Array.from({ length: m }, (_, j) => 1 + (99 * j) / (m - 1)),
    [m],
  );
}

function run({ operation, options, inputs }: GoldenCase): Run {
  if (operation === "weightedMean")
    return ([rows, weights]) => weightedMean(rows!, weights!, options.divisor ?? undefined);
  if (operation === "expectationL1") return ([x, y]) => expectationL1(x!, y!, levels(x!.device, x!.shape[1]!));
  const distance = distances[operation as keyof typeof distances];
  return ([x]) => distance(x!, distributions(x!.device, inputs[1]!, options.sparse));
}

const title = ({ operation, options, inputs }: GoldenCase) =>
  `${operation} [${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden), { f32: 2e-5 }));
  }
});

describe("cut into windows", () => {
  // A row must fit one window of 2 KiB.
  for (const golden of cases.filter((golden) => golden.inputs[0]!.shape.at(-1)! <= 500)) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden), { f32: 2e-5 }));
  }
});

test("finite differences", async () => {
  const device = await sharedDevice();
  const inputs = [{ shape: [3, 7], seed: 2 }];
  const target = { shape: [3, 7], seed: 12 };
  for (const distance of Object.values(distances)) {
    await checkDifferences(device, inputs, ([x]) => distance(x!, distributions(device, target, true)), {
      tolerance: 5e-3,
    });
  }
  const scores = { shape: [3], seed: 8, scale: 5, shift: 20 };
  const run: Run = ([x]) => expectationL1(x!, Tensor.from(device, formula(scores), [3]), levels(device, 7));
  await checkDifferences(device, inputs, run, { tolerance: 5e-3 });
});

test("a perfect prediction costs nothing and pulls nowhere", async () => {
  const device = await sharedDevice();
  for (const loss of [
    (x: Tensor) => earthMoversDistance(x, Tensor.from(device, Array(4).fill(0.25), [1, 4])),
    (x: Tensor) => expectationL1(x, Tensor.from(device, [2], [1]), Tensor.from(device, [0, 1, 3, 4], [4])),
    (x: Tensor) => klDivergence(x, Tensor.from(device, Array(4).fill(0.25), [1, 4])),
  ]) {
    const reads = device.scope(() => {
      const x = Tensor.zeros(device, [1, 4]);
      x.requiresGradient = true;
      const y = loss(x);
      backward(sum(y));
      return { y: y.read(), gradient: x.gradient!.read() };
    });
    expect((await reads.y)[0]).toBeCloseTo(0, 6);
    for (const g of await reads.gradient) expect(Math.abs(g)).toBeLessThan(1e-6);
  }
});

test("logits far apart stay finite", async () => {
  const device = await sharedDevice();
  for (const distance of Object.values(distances)) {
    const reads = device.scope(() => {
      const x = Tensor.from(device, [500, -500, 0, 0], [1, 4]);
      x.requiresGradient = true;
      const y = distance(x, Tensor.from(device, [0, 1, 0, 0], [1, 4]));
      backward(sum(y));
      return { y: y.read(), gradient: x.gradient!.read() };
    });
    const [y] = await reads.y;
    expect(y).toBe(distance === earthMoversDistance ? 0.5 : 1000);
    expect([...(await reads.gradient)].every(Number.isFinite)).toBe(true);
  }
});

test("says what does not fit", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const x = Tensor.zeros(device, [2, 3]);
    expect(() => softCrossEntropy(x, Tensor.zeros(device, [2, 4]))).toThrow("[2,3] and [2,4]");
    expect(() => klDivergence(x, Tensor.zeros(device, [2, 3], "u32"))).toThrow(
      "floating-point elements (f32 or f16), found u32 [2,3] as target",
    );
    expect(() => earthMoversDistance(Tensor.zeros(device, [3]), Tensor.zeros(device, [3]))).toThrow("logits [B, m]");
    expect(() => expectationL1(x, Tensor.zeros(device, [3]), Tensor.zeros(device, [3]))).toThrow(
      "scores must be f32 [2]",
    );
    expect(() => expectationL1(x, Tensor.zeros(device, [2]), Tensor.zeros(device, [2]))).toThrow(
      "levels must be f32 [3]",
    );
    expect(() => weightedMean(Tensor.zeros(device, [2]), Tensor.zeros(device, [3]))).toThrow("weights must be f32 [2]");
    expect(() => weightedMean(x, x)).toThrow("rows must be f32 [6]");
    expect(() => weightedMean(Tensor.zeros(device, [2]), Tensor.zeros(device, [2]), 0)).toThrow("divide by 0");
  });
});

import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { adaptiveAveragePool2d } from "../../../engine/ops/adaptive-pool.ts";
import { bilinearPool } from "../../../engine/ops/bilinear.ts";
import { linearPerSample, pointwisePerSample } from "../../../engine/ops/contraction/per-sample.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { abs, clamp, signedSqrt } from "../../../engine/ops/unary.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  switch (operation) {
    case "signedSqrt":
      return ([x]) => signedSqrt(x!);
    case "abs":
      return ([x]) => abs(x!);
    case "clamp":
      return ([x]) => clamp(x!, options.low, options.high);
    case "bilinearPool":
      return ([x, y]) => bilinearPool(x!, y!, options);
    case "linearPerSample":
      return ([x, weight, bias]) => linearPerSample(x!, weight!, bias);
    case "pointwisePerSample":
      return ([x, weight, bias]) => pointwisePerSample(x!, weight!, bias);
    case "adaptiveAveragePool2d":
      return ([x]) => adaptiveAveragePool2d(x!, options);
    default:
      throw new Error(`no operation ${operation}`);
  }
}

const cases = goldenCases("heads");
/** Bilinear pooling stores four tensors one after the other forward and as many backward, each rounded to f16. */
const tolerance = ({ operation }: GoldenCase) => (operation === "bilinearPool" ? { f16: 1e-2 } : {});
const name = ({ operation, inputs, options }: GoldenCase) =>
  `${operation} ${inputs.map(({ shape }) => `[${shape}]`).join(" ")} ${JSON.stringify(options)}`;

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await sharedDevice(), golden, runner(golden), tolerance(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await plainDevice(), golden, runner(golden)));
  }
});

test("finite differences", async () => {
  const device = await sharedDevice();
  const maps = [
    { shape: [2, 3, 2, 3], seed: 1, shift: 2 },
    { shape: [2, 3, 2, 4], seed: 2, shift: 2 },
  ];
  await checkDifferences(device, maps, ([x, y]) => bilinearPool(x!, y!, { signedSqrt: true, l2Normalise: true }));
  await checkDifferences(device, [{ shape: [2, 7, 5, 3], seed: 1 }], ([x]) =>
    adaptiveAveragePool2d(x!, { height: 4, width: 6 }),
  );
  const weights = [
    { shape: [2, 5, 3], seed: 2 },
    { shape: [2, 3], seed: 3 },
  ];
  await checkDifferences(device, [{ shape: [2, 5], seed: 1 }, ...weights], ([x, w, b]) => linearPerSample(x!, w!, b));
  await checkDifferences(device, [{ shape: [2, 2, 3, 5], seed: 1 }, ...weights], ([x, w, b]) =>
    pointwisePerSample(x!, w!, b),
  );
});

test("magnitudes are as stated at 0, at the ends, and far out", async () => {
  const device = await sharedDevice();
  const x = [-3e38, -1, -1e-30, -0, 0, 1e-30, 1, 3e38];
  const slopes = (run: (x: Tensor) => Tensor) => {
    const reads = device.scope(() => {
      const input = Tensor.from(device, x, [8]);
      input.requiresGradient = true;
      const y = run(input);
      backward(sum(y));
      return { y: y.read(), slope: input.gradient!.read() };
    });
    return Promise.all([reads.y, reads.slope]);
  };
  const [roots, rootSlopes] = await slopes((input) => signedSqrt(input, 1e-8));
  for (const [i, value] of x.entries()) {
    const root = Math.sqrt(Math.abs(value) + 1e-8);
    expect(Math.abs(roots[i]! - Math.sign(value) * root)).toBeLessThanOrEqual(1e-6 * root);
    const slope = value === 0 ? 0 : 0.5 / root;
    // The smallest numbers that are not 0 may be flushed to it, where the slope is 0 too.
    if (Math.abs(value) > 1e-37 || value === 0)
      expect(Math.abs(rootSlopes[i]! - slope)).toBeLessThanOrEqual(1e-5 * slope);
  }
  const [, absSlopes] = await slopes(abs);
  expect([...absSlopes].map((slope) => slope + 0)).toEqual([-1, -1, -1, 0, 0, 1, 1, 1]);
  const [clamped, clampSlopes] = await slopes((input) => clamp(input, -1, Number.POSITIVE_INFINITY));
  expect([...clamped].map((y) => y + 0)).toEqual([-1, -1, ...x.slice(2).map((y) => Math.fround(y) + 0)]);
  expect([...clampSlopes]).toEqual([0, 1, 1, 1, 1, 1, 1, 1]);
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
  const wrong: [() => unknown, typeof ShapeError | typeof RangeError, string][] = [
    [() => bilinearPool(zeros(1, 2, 2, 3), zeros(1, 2, 3, 3)), ShapeError, "[1,2,2,3] and [1,2,3,3]"],
    [() => bilinearPool(zeros(2, 2), zeros(1, 2, 3, 3)), ShapeError, "found f32 [2,2]"],
    [() => linearPerSample(zeros(2, 3), zeros(3, 4)), ShapeError, "weight [3,4] for 2 sample(s) of 3 inputs"],
    [() => linearPerSample(zeros(2, 3), zeros(2, 3, 4), zeros(4)), ShapeError, "bias [4] for 2 sample(s) of 4 outputs"],
    [() => linearPerSample(zeros(2, 3, 1), zeros(2, 3, 4)), ShapeError, "found [2,3,1]"],
    [() => pointwisePerSample(zeros(2, 1, 1, 3), zeros(1, 3, 4)), ShapeError, "weight [1,3,4]"],
    [
      () => adaptiveAveragePool2d(zeros(1, 3, 3, 1), { height: 0, width: 2 }),
      ShapeError,
      "height must be a whole number from 1",
    ],
    [() => signedSqrt(zeros(3), 0), RangeError, "got 0"],
    [() => clamp(zeros(3), 1, -1), RangeError, "lower end 1"],
    [() => abs(Tensor.zeros(device, [3], "u32")), ShapeError, "found u32 [3]"],
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

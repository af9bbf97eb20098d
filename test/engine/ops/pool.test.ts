import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { averagePool2d, globalAveragePool, maxPool2d } from "../../../engine/ops/pool.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const cases = goldenCases("pool");

function run({ operation, options }: GoldenCase): Run {
  if (operation === "maxPool2d") return ([x]) => maxPool2d(x!, options);
  if (operation === "averagePool2d") return ([x]) => averagePool2d(x!, options);
  return ([x]) => globalAveragePool(x!);
}

const title = ({ operation, options, inputs }: GoldenCase) =>
  `${operation} [${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("as PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, run(golden), { f32: 1e-5 }));
  }
});

describe("cut into windows", () => {
  for (const golden of cases.filter((_, i) => i % 3 === 0)) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, run(golden), { f32: 1e-5 }));
  }
});

describe("finite differences", () => {
  const input = [{ shape: [2, 7, 5, 3], seed: 4 }];
  const window = { kernel: 3, stride: 2, padding: 1 };
  test("maxPool2d", async () => {
    // The neighbours of this input are further apart than the step, so that no maximum moves to another place.
    await checkDifferences(await sharedDevice(), input, ([x]) => maxPool2d(x!, window), { step: 1e-3 });
  });
  test("averagePool2d", async () => {
    await checkDifferences(await sharedDevice(), input, ([x]) => averagePool2d(x!, { ...window, countPadding: false }));
  });
  test("globalAveragePool", async () => {
    await checkDifferences(await sharedDevice(), input, ([x]) => globalAveragePool(x!));
  });
});

test("of equal values the first takes the gradient, and only once for each window", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.zeros(device, [1, 3, 3, 4]);
    x.requiresGradient = true;
    backward(sum(maxPool2d(x, { kernel: 3, stride: 1, padding: 1 })));
    return { gradient: x.gradient!.read() };
  });
  const gradient = await reads.gradient;
  const firstChannel = Array.from({ length: 9 }, (_, i) => gradient[4 * i]);
  expect(firstChannel).toEqual([4, 2, 0, 2, 1, 0, 0, 0, 0]);
});

test("stride is the kernel unless given, and nothing is kept for a gradient that nobody asks for", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const x = Tensor.zeros(device, [1, 8, 8, 4]);
    expect(maxPool2d(x, { kernel: 2 }).shape).toEqual([1, 4, 4, 4]);
    expect(averagePool2d(x, { kernel: [4, 2] }).shape).toEqual([1, 2, 4, 4]);
    const before = device.memoryUse.usedBuffers;
    maxPool2d(x, { kernel: 2 });
    expect(device.memoryUse.usedBuffers).toBe(before + 1);
  });
});

test("says what does not fit", async () => {
  const device = await sharedDevice();
  device.scope(() => {
    const x = Tensor.zeros(device, [1, 4, 4, 4]);
    expect(() => maxPool2d(Tensor.zeros(device, [4, 4, 4]), { kernel: 2 })).toThrow("feature maps [N, H, W, C]");
    expect(() => globalAveragePool(Tensor.zeros(device, [1, 2, 2, 4], "u32"))).toThrow("u32");
    expect(() => maxPool2d(x, { kernel: 5 })).toThrow("5x5 kernel does not fit");
    expect(() => averagePool2d(x, { kernel: 3, padding: 3 })).toThrow("padding 3,3 leaves windows outside the picture");
    expect(() =>
      maxPool2d(x, {
        kernel: 3,
        padding: [
          [0, 0],
          [1, 3],
        ],
      }),
    ).toThrow("padding [0,0],[1,3] leaves");
    expect(() =>
      averagePool2d(x, {
        kernel: 3,
        padding: [
          [0, 0, 1],
          [1, 1],
        ] as never,
      }),
    ).toThrow("[top, bottom]");
    expect(() => maxPool2d(x, { kernel: 3, dilation: 2 })).toThrow("3x3 kernel of dilation 2,2 does not fit");
    expect(() => averagePool2d(x, { kernel: 2, stride: 0 })).toThrow("at least 1");
    expect(() => averagePool2d(x, { kernel: 1.5 })).toThrow("whole");
    expect(() => maxPool2d(Tensor.zeros(device, [1, 20, 20, 4]), { kernel: 17 })).toThrow("up to 16");
  });
});

import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { conv2d } from "../../../../engine/ops/contraction/conv.ts";
import { sum } from "../../../../engine/ops/reduce.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import {
  checkDifferences,
  checkGolden,
  formula,
  type GoldenCase,
  goldenCases,
  type Run,
  relativeError,
} from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

const cases = goldenCases("depthwise");
const run =
  ({ options }: GoldenCase): Run =>
  ([x, weight, bias]) =>
    conv2d(x!, weight!, { ...options, bias });
const name = ({ inputs, options }: GoldenCase) =>
  `[${inputs[0]!.shape}] by [${inputs[1]!.shape}] ${JSON.stringify(options)}`;

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await sharedDevice(), golden, run(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await plainDevice(), golden, run(golden)));
  }
});

test("finite differences, strides and padding apart for the two axes", async () => {
  const inputs = [
    { shape: [2, 7, 6, 4], seed: 1 },
    { shape: [3, 5, 1, 4], seed: 2 },
    { shape: [4], seed: 3 },
  ];
  const options = { stride: [2, 1], padding: [1, 2], groups: 4 } as const;
  await checkDifferences(await sharedDevice(), inputs, ([x, weight, bias]) =>
    conv2d(x!, weight!, { ...options, bias }),
  );
});

test("gradients of a wide map, whose weight gradient is summed in parts, equal those of the channels apart", async () => {
  const device = await sharedDevice();
  const shape = [2, 20, 9, 8];
  const data = formula({ shape, seed: 1 });
  const taps = formula({ shape: [3, 3, 1, 8], seed: 2 });
  const channel = (all: Float32Array, c: number) => all.filter((_, i) => i % 8 === c);
  const gradients = (values: Float32Array<ArrayBuffer>, weights: Float32Array<ArrayBuffer>, channels: number) =>
    device.scope(() => {
      const x = Tensor.from(device, values, [2, 20, 9, channels]);
      const weight = Tensor.from(device, weights, [3, 3, 1, channels]);
      x.requiresGradient = true;
      weight.requiresGradient = true;
      const y = conv2d(x, weight, { padding: 1, groups: channels });
      backward(sum(conv2d(y, weight, { stride: 2, groups: channels })));
      return { x: x.gradient!.read(), weight: weight.gradient!.read() };
    });
  const together = gradients(data, taps, 8);
  // One channel in one group runs on the kernels of ordinary convolutions.
  for (const c of [0, 3, 7]) {
    const alone = gradients(channel(data, c), channel(taps, c), 1);
    expect(relativeError(channel(await together.x, c), await alone.x)).toBeLessThan(1e-5);
    expect(relativeError(channel(await together.weight, c), await alone.weight)).toBeLessThan(1e-5);
  }
});

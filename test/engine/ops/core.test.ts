import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import * as activations from "../../../engine/ops/activations.ts";
import * as arithmetic from "../../../engine/ops/arithmetic.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { linear, matmul } from "../../../engine/ops/contraction/matmul.ts";
import { batchNorm } from "../../../engine/ops/norm.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { reshape, transpose } from "../../../engine/ops/shape.ts";
import * as unary from "../../../engine/ops/unary.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run, relativeError } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  switch (operation) {
    case "linear":
      return ([x, weight, bias]) => linear(x!, weight!, bias);
    case "matmul":
      return ([a, b]) => matmul(a!, b!);
    case "conv2d":
      return ([x, weight, bias]) => conv2d(x!, weight!, { ...options, bias });
    case "batchNorm":
      return ([x, scale, shift, runningMean, runningVariance, residual]) =>
        batchNorm(
          x!,
          { scale: scale!, shift: shift!, runningMean: runningMean!, runningVariance: runningVariance! },
          { training: options.training, relu: options.relu, residual },
        );
    case "sum":
      return ([x]) => sum(x!, options.axis ?? undefined);
    case "mean":
      return ([x]) => mean(x!, options.axis ?? undefined);
    case "transpose":
      return ([x]) => transpose(x!);
    case "reshape":
      return ([x]) => reshape(x!, options.shape);
    case "scale":
      return ([x]) => unary.scale(x!, options.factor);
    default: {
      const operationOf = { ...arithmetic, ...unary, ...activations } as unknown as Record<
        string,
        (...tensors: Tensor[]) => Tensor
      >;
      return (tensors) => operationOf[operation]!(...tensors);
    }
  }
}

const cases = goldenCases("core");
const name = (golden: GoldenCase) =>
  `${golden.operation} ${golden.inputs.map((input) => `[${input.shape}]`).join(" ")} ${JSON.stringify(golden.options)}`;

/** Small enough for the 2 KiB bindings of the plain device: no single row of any tensor may exceed them. */
function fitsWindows(golden: GoldenCase): boolean {
  const whole = golden.operation === "conv2d" || golden.operation === "linear" || golden.operation === "matmul";
  const weight = whole ? golden.inputs[1]!.shape.map((extent) => Math.ceil(extent / 4) * 4) : [1];
  if (weight.length === 2 && golden.inputs[0]!.shape[0]! > 40) return false; // its weight gradient takes x in one line
  return (
    weight.reduce((a, b) => a * b, 1) <= 512 &&
    golden.inputs.every(({ shape }) => shape.slice(1).reduce((a, b) => a * b, 1) <= 400)
  );
}

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await sharedDevice(), golden, runner(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases.filter(fitsWindows)) {
    test(name(golden), async () => checkGolden(await plainDevice(), golden, runner(golden)));
  }
});

describe("against finite differences", () => {
  const seen = new Set<string>();
  for (const golden of cases) {
    const kind = `${golden.operation} ${golden.operation === "batchNorm" ? JSON.stringify(golden.options) : ""}`;
    if (seen.has(kind) || golden.output.length < 4) continue;
    seen.add(kind);
    test(kind, async () => checkDifferences(await sharedDevice(), golden.inputs, runner(golden)));
  }
});

test("the logarithm of 0 is −∞ and of what is below NaN, whatever the driver makes of them", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, [-5, -1e-30, -0, 0, Number.NaN, Number.POSITIVE_INFINITY, 1], [7]);
    return { y: unary.log(x).read() };
  });
  const { NaN: none, NEGATIVE_INFINITY: lowest, POSITIVE_INFINITY: highest } = Number;
  expect([...(await reads.y)]).toEqual([none, none, lowest, lowest, none, highest, 0]);
});

describe("tensors larger than one binding of the adapter", () => {
  // 3 pictures of 1.5 times a third of the binding each: the middle one straddles the end of the first window.
  const straddle = (device: Device) => {
    const width = 64;
    const height = Math.ceil((device.maximumBindingBytes * 0.5) / (width * width * 4)) + 1;
    return { images: 3, height, width, channels: width };
  };

  test("batch norm, ReLU and 1x1 convolution give every picture the result it has alone", async () => {
    const device = await sharedDevice();
    const { images, height, width, channels } = straddle(device);
    if (device.maximumBindingBytes > 2 ** 28) return; // an adapter with so large bindings has nothing to cut
    const reads = device.scope(() => {
      const plane = Float32Array.from({ length: width * channels }, (_, i) => Math.sin(i));
      const one = Tensor.from(device, plane, [1, 1, width, channels]);
      const x = Tensor.empty(device, [images, height, width, channels]);
      expect(x.sizeBytes).toBeGreaterThan(device.maximumBindingBytes);
      for (let row = 0; row < images * height; row++) {
        device.stream.copy(one.allocation, 0, x.allocation, row * one.sizeBytes, one.sizeBytes);
      }
      const weight = Tensor.from(
        device,
        Float32Array.from({ length: channels * 4 }, (_, i) => Math.cos(i)),
        [1, 1, channels, 4],
      );
      const flat = (value: number) => Tensor.from(device, new Float32Array(channels).fill(value), [channels]);
      const state = { scale: flat(1), shift: flat(0), runningMean: flat(0), runningVariance: flat(1) };
      const network = (input: Tensor) => conv2d(batchNorm(input, state, { training: true, relu: true }), weight);
      const small = network(one);
      const large = network(x);
      return { small: small.read(), large: large.read() };
    });
    const [small, large] = [await reads.small, await reads.large];
    const rows = images * height;
    for (const row of [0, height - 1, height, Math.floor(rows / 2), rows - 1]) {
      const part = large.subarray(row * small.length, (row + 1) * small.length);
      expect(relativeError(part, small)).toBeLessThan(1e-4);
    }
    device.memory.drain();
  });
});

describe("wrong operands", () => {
  const message = async (work: (device: Device) => unknown) => {
    const device = await sharedDevice();
    try {
      device.scope(() => {
        work(device);
      });
    } catch (error) {
      expect(error).toBeInstanceOf(ShapeError);
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  };
  const zeros = (device: Device, ...shape: number[]) => Tensor.zeros(device, shape);

  test("say which extents do not fit", async () => {
    expect(await message((d) => matmul(zeros(d, 2, 3), zeros(d, 4, 5)))).toContain("[2,3] times [4,5]");
    expect(await message((d) => conv2d(zeros(d, 1, 4, 4, 3), zeros(d, 3, 3, 2, 8)))).toContain("3 channels");
    expect(await message((d) => conv2d(zeros(d, 1, 2, 2, 3), zeros(d, 3, 3, 3, 8)))).toContain("does not fit");
    expect(await message((d) => arithmetic.add(zeros(d, 2, 3), zeros(d, 3, 2)))).toContain("cannot be broadcast");
    expect(await message((d) => sum(zeros(d, 2, 3), 2))).toContain("no axis 2");
    expect(await message((d) => reshape(zeros(d, 2, 3), [4]))).toContain("sizes differ");
    expect(await message((d) => zeros(d, 2, -1))).toContain("not a shape");
  });
});

import { describe, expect, test } from "bun:test";
import { backward } from "../../engine/autograd.ts";
import { multiply } from "../../engine/ops/arithmetic.ts";
import { cast } from "../../engine/ops/cast.ts";
import { conv2d } from "../../engine/ops/contraction/conv.ts";
import { concat, pad, slice } from "../../engine/ops/join.ts";
import { batchNorm } from "../../engine/ops/norm.ts";
import { mean, sum } from "../../engine/ops/reduce.ts";
import { scale } from "../../engine/ops/unary.ts";
import { ShapeError, Tensor } from "../../engine/tensor.ts";
import { halfToNumber, numberToHalf } from "../../engine/weights/half.ts";
import { formula, relativeError } from "./check.ts";
import { plainDevice, sharedDevice } from "./device.ts";

const device = await sharedDevice();
const half = (value: number) => halfToNumber(numberToHalf(value));

describe.skipIf(!device.features.has("shader-f16"))("tensors of f16", () => {
  test("round every number to the nearest half, on upload and on the device", async () => {
    const values = Float32Array.from([
      0,
      -0,
      1,
      1 / 3,
      -2.7182817,
      65504,
      65519,
      65520,
      1e9,
      -1e9,
      6e-8,
      2e-8,
      6.1e-5,
      Infinity,
      -Infinity,
      NaN,
      2049,
    ]);
    using wide = Tensor.from(device, values, [values.length]);
    using onDevice = cast(wide, "f16");
    using uploaded = Tensor.empty(device, [values.length], "f16");
    uploaded.write(values);
    const expected = Array.from(values, half);
    expect(Array.from(await uploaded.read())).toEqual(expected);
    expect(Array.from(await onDevice.read())).toEqual(expected);
    expect(onDevice.sizeBytes).toBe(2 * values.length);
  });

  test("take half the memory", () => {
    const before = device.memoryUse.usedBytes;
    using _ = Tensor.empty(device, [1024, 1024], "f16");
    expect(device.memoryUse.usedBytes - before).toBe(2 * 2 ** 20);
  });

  test("are cut and joined at places between two words", async () => {
    const data = Float32Array.from({ length: 35 }, (_, i) => i - 7);
    using x = cast(Tensor.from(device, data, [35]), "f16");
    using part = slice(x, [3], [20]);
    expect(Array.from(await part.read())).toEqual(Array.from(data.slice(3, 20)));
    using joined = concat([part, x, part]);
    expect(Array.from(await joined.read())).toEqual([...data.slice(3, 20), ...data, ...data.slice(3, 20)]);
    using wide = pad(part, [2], [1], 1.5);
    expect(Array.from(await wide.read())).toEqual([1.5, 1.5, ...data.slice(3, 20), 1.5]);
  });

  test("results keep the type of the first operand, sums are f32", () => {
    device.scope(() => {
      const x = Tensor.zeros(device, [2, 4, 4, 4], "f16");
      const weight = Tensor.zeros(device, [3, 3, 4, 8]);
      expect(conv2d(x, weight).dtype).toBe("f16");
      expect(scale(x, 2).dtype).toBe("f16");
      expect(sum(x).dtype).toBe("f32");
      expect(mean(x, 0).dtype).toBe("f32");
      expect(cast(x, "f16").dtype).toBe("f16");
    });
  });

  test("sums do not overflow where their f16 terms would", async () => {
    using x = cast(Tensor.from(device, new Float32Array(1000).fill(500), [1000]), "f16");
    using total = sum(x);
    expect(await total.item()).toBe(500_000);
  });

  test("mixed precision: activations f16, parameters and their gradients f32", async () => {
    const inputs = { shape: [2, 6, 6, 8], seed: 1 };
    const run = (storage: "f32" | "f16") =>
      device.scope(() => {
        const x = Tensor.from(device, formula(inputs), inputs.shape);
        const weight = Tensor.from(device, formula({ shape: [3, 3, 8, 8], seed: 2, scale: 0.2 }), [3, 3, 8, 8]);
        const vector = (value: number) => Tensor.from(device, new Float32Array(8).fill(value), [8]);
        const state = { scale: vector(1.3), shift: vector(0.1), runningMean: vector(0), runningVariance: vector(1) };
        for (const tensor of [x, weight, state.scale, state.shift]) tensor.requiresGradient = true;
        const map = conv2d(cast(x, storage), weight, { padding: 1 });
        const y = batchNorm(map, state, { training: true, relu: true });
        expect(y.dtype).toBe(storage);
        backward(sum(multiply(cast(y, "f32"), x)));
        for (const tensor of [x, weight, state.scale]) expect(tensor.gradient!.dtype).toBe("f32");
        return {
          reads: [x, weight, state.scale, state.shift].map(({ gradient }) => gradient!.read()),
          running: state.runningVariance.read(),
        };
      });
    const [wide, narrow] = [run("f32"), run("f16")];
    for (const [i, read] of narrow.reads.entries()) {
      expect(relativeError(await read, await wide.reads[i]!)).toBeLessThan(5e-3);
    }
    expect(relativeError(await narrow.running, await wide.running)).toBeLessThan(1e-3);
  });
});

test("an adapter without f16 says so", async () => {
  const plain = await plainDevice();
  expect(() => Tensor.empty(plain, [4], "f16")).toThrow(ShapeError);
  using x = Tensor.zeros(plain, [4]);
  expect(() => cast(x, "f16")).toThrow("shader-f16");
  using indices = Tensor.zeros(plain, [4], "u32");
  expect(() => cast(indices, "f16")).toThrow("shader-f16");
});

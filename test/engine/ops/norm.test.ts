import { expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { batchNorm } from "../../../engine/ops/norm.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula, relativeError } from "../check.ts";
import { sharedDevice } from "../device.ts";

// More blocks of rows than one invocation adds up. 3 channels are scalars, 8 are vec4s.
test.each([3, 8])("gradients of scale and shift over many rows, %d channels", async (channels) => {
  const device = await sharedDevice();
  const rows = 20_000;
  const shape = [rows, channels];
  const [given, weights] = [formula({ shape, seed: 1 }), formula({ shape, seed: 2, shift: 0.2 })];
  const vector = (value: number) => Tensor.from(device, new Float32Array(channels).fill(value), [channels]);
  const [scale, shift] = [vector(1.5), vector(0.25)];
  scale.requiresGradient = shift.requiresGradient = true;
  const state = { scale, shift, runningMean: vector(0), runningVariance: vector(1) };
  device.scope(() => {
    const y = batchNorm(Tensor.from(device, given, shape), state, { training: true });
    backward(sum(multiply(y, Tensor.from(device, weights, shape))));
  });
  const dshift = new Float64Array(channels);
  const dscale = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    const column = (of: Float32Array) => Array.from({ length: rows }, (_, row) => of[row * channels + c]!);
    const [x, dy] = [column(given), column(weights)];
    const mean = x.reduce((total, value) => total + value, 0) / rows;
    const variance = x.reduce((total, value) => total + (value - mean) ** 2, 0) / rows;
    dshift[c] = dy.reduce((total, value) => total + value, 0);
    dscale[c] = dy.reduce((total, value, row) => total + (value * (x[row]! - mean)) / Math.sqrt(variance + 1e-5), 0);
  }
  expect(relativeError(await shift.gradient!.read(), dshift)).toBeLessThan(1e-5);
  expect(relativeError(await scale.gradient!.read(), dscale)).toBeLessThan(1e-5);
  for (const tensor of Object.values(state)) tensor.dispose();
});

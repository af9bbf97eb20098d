import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { cast } from "../../../engine/ops/cast.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { scale, square } from "../../../engine/ops/unary.ts";
import { GradientState, type LossScaleOptions } from "../../../engine/optim/gradient-state.ts";
import { Optimiser, type OptimiserOptions } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula, relativeError } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

interface Case {
  readonly name: string;
  readonly kind: "sgd" | "adam" | "adamw";
  readonly factors: (number | null)[];
  readonly clip: number | null;
  readonly scaler: Required<LossScaleOptions> | null;
  readonly steps: { norm: number | null; scale: number; good: number; parameters: number[][] }[];
}

const golden: Case[] = JSON.parse(readFileSync(new URL("../../golden/gradient_state.json", import.meta.url), "utf8"));
const rates = { sgd: [0.1, 0.01], adam: [0.01, 0.1], adamw: [0.01, 0.1] } as const;
const shapes = [[7], [3, 5], [1030]];

function parametersOf(device: Device, list = shapes) {
  return list.map((shape, i) => {
    const tensor = Tensor.from(device, formula({ shape, seed: i + 1 }), shape).keep();
    return { name: `p${i}`, tensor, kind: "vector", role: "parameter" } as const;
  });
}

/** Plays a golden case; after each step `check` sees what PyTorch has. */
async function play(device: Device, golden: Case) {
  const { kind, factors, clip, scaler, steps } = golden;
  const [rate, decay] = rates[kind];
  const parameters = parametersOf(device);
  const optimiser = new Optimiser([{ parameters, rate, decay }], {
    kind,
    ...(clip !== null && { clipNorm: clip }),
    ...(scaler && { lossScale: scaler }),
  });
  let scale = scaler?.initial ?? 1;
  let taken = 0;
  for (const [step, factor] of factors.entries()) {
    for (const [i, { tensor }] of parameters.entries()) {
      const data = formula({ shape: [...tensor.shape], seed: 10 * step + i + 2 });
      for (const [k, x] of data.entries()) data[k] = x * (factor ?? 1) * scale;
      // One element of the last gradient, beyond the first window of a small binding.
      if (factor === null && i === 2) data[1027] = step % 2 ? Number.POSITIVE_INFINITY : Number.NaN;
      tensor.gradient = Tensor.from(device, data, tensor.shape).keep();
    }
    optimiser.step();
    optimiser.clearGradients();
    const expected = steps[step]!;
    const report = await optimiser.gradientState!.read();
    if (factor !== null) taken++;
    expect(report).toMatchObject({
      skipped: factor === null,
      scale: expected.scale,
      goodSteps: scaler ? expected.good : 0,
      takenSteps: taken,
      skippedSteps: step + 1 - taken,
    });
    if (factor === null) expect(report.norm).toBe(Number.POSITIVE_INFINITY);
    else if (expected.norm !== null) expect(Math.abs(report.norm / expected.norm - 1)).toBeLessThan(1e-6);
    for (const [i, values] of expected.parameters.entries())
      expect(relativeError(await parameters[i]!.tensor.read(), values)).toBeLessThan(1e-5);
    scale = expected.scale;
  }
  optimiser.dispose();
  for (const { tensor } of parameters) tensor.dispose();
}

describe("clipping and loss scaling against PyTorch", () => {
  for (const one of golden) test(one.name, async () => play(await sharedDevice(), one));
  test("in windows of 2 KiB", async () => play(await plainDevice(), golden.find(({ name }) => name === "adam, both")!));
});

/** size · Σ x²: with a loss scale its gradient is scale · size · 2x. */
const lossOf = (x: Tensor, size: number) => sum(multiply(square(x), Tensor.from(x.device, [size, size, size], [3])));

test("a loss scale that is too large backs off until the gradients are finite, and training goes on", async () => {
  const device = await sharedDevice();
  const [parameter] = parametersOf(device, [[3]]);
  const x = parameter!.tensor;
  x.requiresGradient = true;
  const before = await x.read();
  // 2 · 2^100 · 2^30 · x is beyond the largest f32 (below 2^128) until the scale has come down to about 2^97.
  const lossScale = { initial: 2 ** 100, interval: 4 };
  const options: OptimiserOptions = { kind: "adam", lossScale };
  const optimiser = new Optimiser([{ parameters: [parameter!], rate: 0.05, decay: 0 }], options);
  const plain = parametersOf(device, [[3]])[0]!;
  plain.tensor.requiresGradient = true;
  const reference = new Optimiser([{ parameters: [plain], rate: 0.05, decay: 0 }], { kind: "adam" });
  const scales: number[] = [];
  let skipped = 0;
  for (let step = 0; step < 14; step++) {
    device.scope(() => backward(lossOf(x, 2 ** 30), optimiser.seed()));
    optimiser.step();
    optimiser.clearGradients();
    const report = await optimiser.gradientState!.read();
    scales.push(Math.log2(report.scale));
    skipped = report.skippedSteps;
    if (report.takenSteps === 0) {
      expect(await x.read()).toEqual(before);
      for (const { name, tensor } of optimiser.tensors("")) {
        if (!name.endsWith("gradient_state")) expect([...(await tensor.read())]).toEqual([0, 0, 0]);
      }
    } else if (!report.skipped) {
      // A power of two moves exponents only: the steps taken are those of a training without a scale.
      device.scope(() => backward(lossOf(plain.tensor, 2 ** 30)));
      reference.step();
      reference.clearGradients();
      expect(relativeError(await x.read(), await plain.tensor.read())).toBeLessThan(1e-6);
    }
  }
  expect(scales[0]).toBe(99);
  expect(skipped).toBeGreaterThanOrEqual(3);
  // It rose again after four good steps, which overflowed, and came back.
  expect(scales.slice(1).some((scale, i) => scale > scales[i]!)).toBe(true);
  for (const { tensor } of [parameter!, plain]) tensor.dispose();
  optimiser.dispose();
  reference.dispose();
});

test("gradients that overflow half precision are skipped until the scale fits, then the steps are those of f32", async () => {
  const device = await sharedDevice();
  if (!device.features.has("shader-f16")) return void console.warn("skipped: the adapter has no f16");
  const train = async (half: boolean) => {
    const [parameter] = parametersOf(device, [[3]]);
    const x = parameter!.tensor;
    x.requiresGradient = true;
    const lossScale = half ? {} : undefined;
    const optimiser = new Optimiser([{ parameters: [parameter!], rate: 0.05, decay: 0 }], {
      kind: "adam",
      ...(lossScale && { lossScale }),
    });
    const skipped: boolean[] = [];
    while (optimiser.steps - skipped.filter(Boolean).length < 5) {
      // d loss / d cast(x) = 16 x, by the first scale of 2^16 beyond 65,504 for x near 1.
      device.scope(() => {
        const y = square(half ? cast(x, "f16") : x);
        backward(scale(sum(half ? cast(y, "f32") : y), 8), optimiser.seed());
      });
      optimiser.step();
      optimiser.clearGradients();
      if (half) skipped.push((await optimiser.gradientState!.read()).skipped);
    }
    const after = await x.read();
    optimiser.dispose();
    x.dispose();
    return { after, skipped };
  };
  const [half, single] = [await train(true), await train(false)];
  expect(half.skipped.slice(0, 3)).toEqual([true, true, true]);
  expect(half.skipped.lastIndexOf(true)).toBeLessThan(6);
  expect(relativeError(half.after, single.after)).toBeLessThan(1e-3);
});

test("state and moments continue bit for bit when they are stored and loaded", async () => {
  const device = await sharedDevice();
  const options: OptimiserOptions = { kind: "adam", clipNorm: 0.5, lossScale: { initial: 2 ** 96, interval: 2 } };
  const start = () => {
    const [parameter] = parametersOf(device, [[3]]);
    parameter!.tensor.requiresGradient = true;
    return {
      parameter: parameter!,
      optimiser: new Optimiser([{ parameters: [parameter!], rate: 0.05, decay: 0 }], options),
    };
  };
  const run = (one: ReturnType<typeof start>, steps: number) => {
    for (let step = 0; step < steps; step++) {
      device.scope(() => backward(lossOf(one.parameter.tensor, 2 ** 34), one.optimiser.seed()));
      one.optimiser.step();
      one.optimiser.clearGradients();
    }
  };
  const all = ({ parameter, optimiser }: ReturnType<typeof start>) => [parameter, ...optimiser.tensors("o")];
  const whole = start();
  run(whole, 9);
  const first = start();
  run(first, 5);
  const stored = await Promise.all(all(first).map(({ tensor }) => tensor.read()));
  const second = start();
  for (const [i, { tensor }] of all(second).entries()) tensor.write(stored[i]!);
  run(second, 4);
  const found = await Promise.all(all(second).map(({ tensor }) => tensor.read()));
  expect(found).toEqual(await Promise.all(all(whole).map(({ tensor }) => tensor.read())));
  const { takenSteps, skippedSteps } = await whole.optimiser.gradientState!.read();
  expect(takenSteps).toBeGreaterThan(0);
  expect(skippedSteps).toBeGreaterThan(0);
  for (const { parameter, optimiser } of [whole, first, second]) {
    parameter.tensor.dispose();
    optimiser.dispose();
  }
});

test("without clipping or scaling nothing further is dispatched", async () => {
  const device = await sharedDevice();
  const count = (options: OptimiserOptions) => {
    const parameters = parametersOf(device);
    const optimiser = new Optimiser([{ parameters, rate: 0.1, decay: 0 }], options);
    for (const { tensor } of parameters) tensor.gradient = Tensor.zeros(device, tensor.shape).keep();
    const before = device.stream.dispatches;
    optimiser.step();
    const dispatches = device.stream.dispatches - before;
    optimiser.dispose();
    for (const { tensor } of parameters) tensor.dispose();
    return dispatches;
  };
  // Three parameters are updated together.
  expect(count({ kind: "adam" })).toBe(1);
  // One sum for each gradient, one over them, the state.
  expect(count({ kind: "adam", clipNorm: 1 })).toBe(1 + 3 + 1 + 1);
});

test("gradients whose squares overflow are not finite either; an element in the padding is nobody's", async () => {
  const device = await sharedDevice();
  const state = new GradientState(device, { clipNorm: 1 });
  const huge = Tensor.from(device, new Float32Array(5).fill(1e25), [5]);
  state.update([huge]);
  expect(await state.read()).toMatchObject({ skipped: true, norm: Number.POSITIVE_INFINITY });
  // Buffers hold whole vec4s: three floats behind the five.
  const five = Tensor.empty(device, [5]);
  device.stream.upload(five.allocation, Float32Array.from([3, 4, 0, 0, 0, Number.NaN, Number.NaN, Number.NaN]));
  state.update([five]);
  expect(await state.read()).toMatchObject({ skipped: false, norm: 5, takenSteps: 1, skippedSteps: 1 });
  for (const one of [huge, five, state]) one.dispose();
});

test("wrong settings are named with their value", async () => {
  const device = await sharedDevice();
  expect(() => new GradientState(device, { clipNorm: 0 })).toThrow("a norm above 0, found 0");
  expect(() => new GradientState(device, { lossScale: { initial: 0 } })).toThrow("found 0");
  expect(() => new GradientState(device, { lossScale: { growth: 1 } })).toThrow("grows by a factor above 1, found 1");
  expect(() => new GradientState(device, { lossScale: { backoff: 2 } })).toThrow("found 2");
  expect(() => new GradientState(device, { lossScale: { interval: 0.5 } })).toThrow("found 0.5");
});

import { describe, expect, test } from "bun:test";
import { backward, withoutGradients } from "../../../../engine/autograd.ts";
import type { Device } from "../../../../engine/device/device.ts";
import { relu6 } from "../../../../engine/ops/activations.ts";
import { cast } from "../../../../engine/ops/cast.ts";
import { conv2d } from "../../../../engine/ops/contraction/conv.ts";
import { type ConvNormOptions, convNorm } from "../../../../engine/ops/contraction/conv-norm.ts";
import { batchNorm } from "../../../../engine/ops/norm.ts";
import { sum } from "../../../../engine/ops/reduce.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { formula, relativeError } from "../../check.ts";
import { plainDevice, sharedDevice } from "../../device.ts";

interface Form {
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly y: readonly number[];
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly options: Pick<ConvNormOptions, "stride" | "padding" | "groups" | "activation">;
}

const forms: Record<string, Form> = {
  "3x3, ReLU": {
    x: [2, 5, 6, 4],
    weight: [3, 3, 4, 12],
    y: [2, 5, 6, 12],
    options: { padding: 1, activation: "relu" },
  },
  "3x3, residual, ReLU": {
    x: [2, 5, 6, 4],
    weight: [3, 3, 4, 12],
    y: [2, 5, 6, 12],
    residual: true,
    options: { padding: 1, activation: "relu" },
  },
  "1x1, bias, ReLU6": {
    x: [3, 3, 3, 4],
    weight: [1, 1, 4, 40],
    y: [3, 3, 3, 40],
    bias: true,
    options: { activation: "relu6" },
  },
  "5x5 stride 2 of 3 channels, no activation": {
    x: [1, 11, 9, 3],
    weight: [5, 5, 3, 4],
    y: [1, 5, 4, 4],
    options: { stride: 2, padding: 1 },
  },
  "6 channels out, which no vec4s hold": {
    x: [2, 4, 4, 4],
    weight: [3, 3, 4, 6],
    y: [2, 4, 4, 6],
    residual: true,
    options: { padding: 1, activation: "relu" },
  },
  "depthwise, ReLU6": {
    x: [2, 5, 5, 8],
    weight: [3, 3, 1, 8],
    y: [2, 5, 5, 8],
    options: { padding: 1, groups: 8, activation: "relu6" },
  },
};

function tensors(device: Device, { x, weight, y, bias, residual }: Form) {
  const make = (shape: readonly number[], seed: number, scale = 1, shift = 0) =>
    Tensor.from(device, formula({ shape: [...shape], seed, scale, shift }), shape);
  const channels = [y.at(-1)!];
  return {
    x: make(x, 1, 2),
    weight: make(weight, 2),
    state: {
      scale: make(channels, 3, 1, 0.5),
      shift: make(channels, 4),
      runningMean: make(channels, 5),
      runningVariance: make(channels, 6, 0.5, 1),
    },
    ...(bias && { bias: make(channels, 7) }),
    ...(residual && { residual: make(y, 8) }),
  };
}

/** The definition, by operations that have golden values of their own. */
function composed({ x, weight, state, bias, residual }: ReturnType<typeof tensors>, options: Form["options"]): Tensor {
  const { activation, ...convolution } = options;
  const y = batchNorm(conv2d(x, weight, { ...convolution, bias }), state, {
    training: false,
    relu: activation === "relu",
    ...(residual && { residual }),
  });
  return activation === "relu6" ? relu6(y) : y;
}

for (const [title, open] of [
  ["all features", sharedDevice],
  ["plain kernels, tensors in windows of 2 KiB", plainDevice],
] as const) {
  describe(`convNorm equals its parts: ${title}`, () => {
    for (const [name, form] of Object.entries(forms)) {
      test(name, async () => {
        const device = await open();
        const reads = device.scope(() => {
          const { x, weight, state, ...rest } = tensors(device, form);
          const y = convNorm(x, weight, state, { training: false, ...rest, ...form.options });
          const expected = composed({ x, weight, state, ...rest }, form.options);
          return { shape: y.shape, y: y.read(), expected: expected.read() };
        });
        expect(reads.shape.join()).toBe(form.y.join());
        expect(relativeError(await reads.y, await reads.expected)).toBeLessThan(1e-6);
      });
    }
  });
}

const form = forms["3x3, residual, ReLU"]!;
const given = { training: false, ...form.options };

test("differentiated, it is the recorded parts and gives their gradients", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() =>
    [true, false].flatMap((whole) => {
      const { x, weight, state, residual } = tensors(device, form);
      for (const tensor of [x, weight, state.scale, state.shift, residual!]) tensor.requiresGradient = true;
      const options = { ...given, ...(residual && { residual }) };
      const parts = { x, weight, state, ...(residual && { residual }) };
      backward(sum(whole ? convNorm(x, weight, state, options) : composed(parts, form.options)));
      return [x, weight, state.scale, state.shift, residual!].map((tensor) => tensor.gradient!.read());
    }),
  );
  const gradients = await Promise.all(reads);
  for (let i = 0; i < 5; i++) {
    expect(gradients[i]!.some((value) => value !== 0)).toBe(true);
    expect(gradients[i]).toEqual(gradients[i + 5]!);
  }
});

test("not differentiated, no map between is stored", async () => {
  const device = await sharedDevice();
  const inputs = tensors(device, { ...form, x: [2, 32, 32, 4], y: [2, 32, 32, 12], residual: false });
  const { x, weight, state } = inputs;
  // Buffers that lie free count in both, and would make room for what only one of them needs.
  device.memory.drain();
  const fused = device.rehearse(() => withoutGradients(() => convNorm(x, weight, state, given)));
  const parts = device.rehearse(() => withoutGradients(() => composed(inputs, form.options)));
  const map = 2 * 32 * 32 * 12 * 4;
  expect(parts.peakBytes - fused.peakBytes).toBeGreaterThan(0.9 * map);
  for (const tensor of [x, weight, ...Object.values(state)]) tensor.dispose();
});

test("in f16 it is within rounding of f32", async () => {
  const device = await sharedDevice();
  if (!device.features.has("shader-f16")) return console.warn("skipped: the adapter has no shader-f16");
  const reads = device.scope(() => {
    const { x, weight, state } = tensors(device, forms["3x3, ReLU"]!);
    const half = convNorm(cast(x, "f16"), cast(weight, "f16"), state, given);
    const wide = convNorm(x, weight, state, given);
    return { dtype: half.dtype, half: cast(half, "f32").read(), wide: wide.read() };
  });
  expect(reads.dtype).toBe("f16");
  expect(relativeError(await reads.half, await reads.wide)).toBeLessThan(4e-3);
});

test("extents that do not fit are refused, whatever runs", async () => {
  const device = await sharedDevice();
  const { x, weight, state } = tensors(device, form);
  const short = Tensor.zeros(device, [8]);
  const other = Tensor.zeros(device, [2, 5, 6, 8]);
  for (const training of [false, true]) {
    const base = { ...given, training };
    expect(() => convNorm(x, weight, { ...state, shift: short }, base)).toThrow("shift has 8 elements for 12 channels");
    expect(() => convNorm(x, weight, state, { ...base, residual: other })).toThrow("2,5,6,8");
    expect(() => convNorm(x, weight, state, { ...base, bias: short })).toThrow("bias [8] for 12 channels");
  }
  for (const tensor of [x, weight, short, other, ...Object.values(state)]) tensor.dispose();
});

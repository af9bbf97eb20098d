import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { hasFlags } from "../../../engine/device/vectors.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import { batchedMatmul } from "../../../engine/ops/contraction/batched.ts";
import { conv2d } from "../../../engine/ops/contraction/conv.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Profiler } from "../../../engine/profile/profiler.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula, type Run } from "../check.ts";

/** One device that reads operands from textures, whether or not that is faster on its adapter, and one that does not. */
let opened: Promise<readonly [shown: Device, plain: Device]> | undefined;
function devices() {
  opened ??= Promise.all([openDevice(), openDevice()]).then(([shown, plain]) => {
    Object.defineProperty(shown, "texels", { value: 2 ** 22 });
    Object.defineProperty(plain, "texels", { value: 0 });
    return [shown, plain] as const;
  });
  return opened;
}

interface Operation {
  readonly shapes: readonly (readonly number[])[];
  readonly run: Run;
}

// Lines have 1024 vec4s: operands of a part of a line, of whole ones, and of some and a part; x and dy of as many lines.
const operations: Readonly<Record<string, Operation>> = {
  "a product": {
    shapes: [
      [128, 100],
      [100, 36],
    ],
    run: ([a, b]) => matmul(a!, b!),
  },
  "a product with a weight of 64 lines": {
    shapes: [
      [70, 512],
      [512, 512],
    ],
    run: ([a, b]) => matmul(a!, b!),
  },
  "a batch of products": {
    shapes: [
      [3, 70, 64],
      [3, 64, 132],
    ],
    run: ([a, b]) => batchedMatmul(a!, b!),
  },
  "a convolution": {
    shapes: [
      [2, 13, 11, 24],
      [3, 3, 24, 40],
    ],
    run: ([x, w]) => conv2d(x!, w!, { padding: 1 }),
  },
  "a convolution with a stride": {
    shapes: [
      [3, 17, 16, 8],
      [5, 3, 8, 64],
    ],
    run: ([x, w]) => conv2d(x!, w!, { stride: 2, padding: 1 }),
  },
};

function loss(device: Device, { shapes, run }: Operation): { out: Tensor; inputs: Tensor[] } {
  const inputs = shapes.map((shape, i) => {
    const input = Tensor.from(device, formula({ shape: [...shape], seed: i + 1 }), shape);
    input.requiresGradient = true;
    return input;
  });
  const out = run(inputs);
  const weights = Tensor.from(device, formula({ shape: [...out.shape], seed: 9 }), out.shape);
  backward(sum(multiply(out, weights)));
  return { out, inputs };
}

function bits(device: Device, operation: Operation): Promise<Uint32Array[]> {
  const { reads } = device.scope(() => {
    const { out, inputs } = loss(device, operation);
    return { reads: [out.read(), ...inputs.map(({ gradient }) => gradient!.read())] };
  });
  return Promise.all(reads.map(async (read) => new Uint32Array((await read).buffer)));
}

describe("operands that are read from textures", () => {
  for (const [name, operation] of Object.entries(operations)) {
    test(`${name}: the same bits as from buffers, forward and backward`, async () => {
      const [shown, plain] = await devices();
      expect(await bits(shown, operation)).toEqual(await bits(plain, operation));
    });
  }

  test("are read from textures, which are copied for every call and counted", async () => {
    const [shown, plain] = await devices();
    const kernels = async (device: Device) => {
      const profiler = await Profiler.start(device);
      await bits(device, operations["a product"]!);
      return (await profiler.stop()).kernels.map(({ kernel, variant }) => `${kernel} ${variant}`).join("\n");
    };
    if (shown.subgroupSize > 0) expect(await kernels(shown)).toContain("weight by texture");
    expect(await kernels(plain)).not.toContain("texture");
    const held = (device: Device) => device.memoryReport().owners.find(({ owner }) => owner === "textures");
    if (shown.subgroupSize > 0) expect(held(shown)!.bytes).toBeGreaterThan(0);
    expect(held(plain)).toBeUndefined();
  });

  test("a plan copies them anew at every replay", async () => {
    const [shown] = await devices();
    const a = Tensor.from(shown, formula({ shape: [64, 20], seed: 1 }), [64, 20]);
    const b = Tensor.from(shown, new Float32Array(20 * 24), [20, 24]);
    const plan = shown.trace(() => matmul(a, b));
    expect(new Set(await plan.result.read())).toEqual(new Set([0]));
    const numbers = formula({ shape: [20, 24], seed: 2 });
    b.write(numbers);
    plan.replay();
    const expected = shown.scope(() => ({ read: matmul(a, Tensor.from(shown, numbers, [20, 24])).read() }));
    expect(await plan.result.read()).toEqual(await expected.read);
    plan.dispose();
    for (const tensor of [a, b]) tensor.dispose();
  });
});

test("a processor has wide vectors when each of its cores has", () => {
  const core = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} sse\nbugs\t\t: none\n\n`;
  expect(hasFlags(core("avx512f avx512bw"), ["avx512f", "avx512bw"])).toBe(true);
  expect(hasFlags(core("avx512f avx512bw") + core("avx512f"), ["avx512f", "avx512bw"])).toBe(false);
  expect(hasFlags(core("avx512fp16"), ["avx512f"])).toBe(false);
  expect(hasFlags("Processor: ARMv8\n", [])).toBe(false);
});

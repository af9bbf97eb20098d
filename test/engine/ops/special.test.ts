import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import * as engine from "../../../engine/index.ts";
import { type TileSize, winograd } from "../../../engine/ops/contraction/winograd.ts";
import { type Shape, sizeOf, Tensor } from "../../../engine/tensor.ts";
import { formula } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";
import { complaints, outcomes, runners, type SpecialGroup, specialGroups, titleOf } from "../special.ts";

const groups = specialGroups();
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** Exports of engine/ops that a table of numbers does not describe: what they take or give is no tensor of floats, or random. */
const elsewhere = ["cutoutWindows", "randomWords", "unpackRgb", "dropout", "dropout2d", "stochasticDepth", "oneHot"];

test("every operation that the engine exports has its special values", () => {
  const index = readFileSync(new URL("../../../engine/portable.ts", import.meta.url), "utf8");
  const exported = [...index.matchAll(/export \{([^}]*)\} from "\.\/ops\//g)]
    .flatMap((match) => match[1]!.split(","))
    .map((word) => word.trim())
    .filter((word) => word && !word.startsWith("type "));
  const known = new Set([...groups.map(({ operation }) => operation), ...elsewhere]);
  expect(exported.length).toBeGreaterThan(60);
  expect(exported.filter((name) => !known.has(name))).toEqual([]);
  expect(groups.filter(({ operation }) => !runners[operation])).toEqual([]);
});

async function check(device: Device, group: SpecialGroup, half = false): Promise<void> {
  // 65,504 is the largest f16, and a denormal of f32 is 0 there.
  const cases = group.cases.filter(({ special }) => !half || (special !== "largest" && special !== "denormal"));
  const found = await outcomes(device, group, cases, half);
  expect(cases.flatMap((place, i) => complaints(group, place, found[i]!, half))).toEqual([]);
}

describe("as PyTorch, forward and backward", () => {
  for (const group of groups) test(titleOf(group), async () => check(await sharedDevice(), group));
});

describe("plain kernels", () => {
  for (const group of groups) test(titleOf(group), async () => check(await plainDevice(), group));
});

describe("stored as f16", () => {
  for (const group of groups) {
    test(titleOf(group), async () => {
      const device = await sharedDevice();
      if (device.features.has("shader-f16")) await check(device, group, true);
    });
  }
});

/** y and dx of an operation on `numbers`, with dy = 1. */
async function pass(numbers: readonly number[], shape: Shape, run: (x: Tensor) => Tensor) {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, Float32Array.from(numbers), shape);
    x.requiresGradient = true;
    const y = run(x);
    backward(engine.sum(y));
    return { y: y.read(), dx: x.gradient!.read() };
  });
  return { y: [...(await reads.y)], dx: [...(await reads.dx)] };
}

test("at infinities the activations are their limits, to the bit", async () => {
  const lowest = [-infinity, -3.4e38, -1e30];
  const { gelu, silu, hardswish, relu, relu6 } = engine;
  for (const run of [gelu, silu, hardswish, relu, relu6]) {
    const { y, dx } = await pass([...lowest, infinity], [4], (x) => run(x));
    expect(y).toEqual([0, 0, 0, run === relu6 ? 6 : infinity]);
    // The sign of a zero is left open.
    expect(dx.map((slope) => slope + 0)).toEqual([0, 0, 0, run === relu6 ? 0 : 1]);
  }
  const tanh = await pass([-infinity, 3.4e38], [2], (x) => engine.gelu(x, { approximate: "tanh" }));
  expect(tanh.y).toEqual([0, Math.fround(3.4e38)]);
});

test("clamp between infinities leaves every number as it is", async () => {
  const numbers = [nan, infinity, -infinity, 3.4028234663852886e38, -1, 0];
  const { y } = await pass(numbers, [6], (x) => engine.clamp(x, -infinity, infinity));
  expect(y).toEqual(numbers);
});

test("a NaN of either sign and any payload stays NaN", async () => {
  const device = await sharedDevice();
  const words = Uint32Array.of(0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0xffffffff);
  const { relu, relu6, sigmoid, tanh, gelu, normalCdf, silu, hardswish, exp, log, sqrt } = engine;
  for (const run of [relu, relu6, sigmoid, tanh, gelu, normalCdf, silu, hardswish, exp, log, sqrt]) {
    const read = device.scope(() => {
      const x = Tensor.from(device, new Float32Array(words.buffer), [5]);
      return { y: run(x).read() };
    });
    expect([...(await read.y)]).toEqual(Array(5).fill(nan));
  }
});

test("a window of −∞ has a maximum of −∞, whose gradient stays inside the picture", async () => {
  for (const channels of [1, 4]) {
    const { y, dx } = await pass(Array(9 * channels).fill(-infinity), [1, 3, 3, channels], (x) =>
      engine.maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
    );
    expect(y).toEqual(Array(4 * channels).fill(-infinity));
    expect(dx.reduce((a, b) => a + b)).toBe(4 * channels);
  }
});

test("what is dropped is multiplied by 0, so that NaN and infinities show through", async () => {
  for (const run of [engine.dropout, engine.stochasticDepth]) {
    for (const special of [nan, infinity]) {
      const { y } = await pass(Array(64).fill(special), [64, 1], (x) => run(x, 0.5, { seed: 1 }));
      const kept = await pass(Array(64).fill(1), [64, 1], (x) => run(x, 0.5, { seed: 1 }));
      expect(kept.y).toContain(0);
      expect(y).toEqual(kept.y.map((factor) => factor * special));
    }
  }
});

test("half precision keeps NaN and infinities, and is infinite beyond 65,504", async () => {
  const device = await sharedDevice();
  if (!device.features.has("shader-f16")) return;
  const { y } = await pass([nan, infinity, -infinity, 65504, 1e6, -1e6], [6], (x) =>
    engine.cast(engine.cast(x, "f16"), "f32"),
  );
  expect(y).toEqual([nan, infinity, -infinity, 65504, infinity, -infinity]);
});

test("a NaN in one row of a batch makes its channel's running statistics NaN", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const numbers = formula({ shape: [5, 4], seed: 1 });
    numbers[9] = nan;
    const constant = (value: number) => Tensor.from(device, new Float32Array(4).fill(value), [4]);
    const state = {
      scale: constant(1),
      shift: constant(0),
      runningMean: constant(0),
      runningVariance: constant(1),
    };
    engine.batchNorm(Tensor.from(device, numbers, [5, 4]), state, { training: true });
    return { mean: state.runningMean.read(), variance: state.runningVariance.read() };
  });
  for (const read of [reads.mean, reads.variance]) {
    expect([...(await read)].map(Number.isNaN)).toEqual([false, true, false, false]);
  }
});

test("optimisers take a NaN of the gradient into the parameter, and the average follows", async () => {
  const device = await sharedDevice();
  for (const kind of ["sgd", "adam", "adamw"] as const) {
    const weight = Tensor.from(device, formula({ shape: [7], seed: 1 }), [7]).keep();
    weight.requiresGradient = true;
    const named = [{ name: "weight", tensor: weight, kind: "vector" as const, role: "parameter" as const }];
    const optimiser = new engine.Optimiser([{ parameters: named, rate: 0.1, decay: 0 }], { kind });
    const average = new engine.WeightAverage(named, { decay: 0.5 });
    device.scope(() => {
      const factors = formula({ shape: [7], seed: 2 });
      factors[6] = nan;
      backward(engine.sum(engine.multiply(weight, Tensor.from(device, factors, [7]))));
      optimiser.step();
      average.update();
    });
    for (const tensor of [weight, average.tensors("")[0]!.tensor]) {
      expect([...(await tensor.read())].map(Number.isNaN)).toEqual([...Array(6).fill(false), true]);
    }
    average.dispose();
    weight.dispose();
  }
});

/** Winograd's method adds numbers of a whole tile, so that NaN and ∞ (there ∞ − ∞) reach the outputs of their tiles. */
async function byTiles(size: TileSize, numbers: Float32Array<ArrayBuffer>, shape: readonly [number, number, number]) {
  const device = await sharedDevice();
  const [height, width, channels] = shape;
  const y = device.scope(() => {
    const x = Tensor.from(device, numbers, [1, height, width, channels]);
    const weight = Tensor.from(device, formula({ shape: [3, 3, channels, 4], seed: 2 }), [3, 3, channels, 4]);
    const out = Tensor.empty(device, [1, height, width, 4]);
    const sizes = {
      images: 1,
      input: [height, width],
      channels,
      output: [height, width],
      columns: 4,
      offset: [-1, -1],
    };
    winograd(size, x, weight, out, sizes as unknown as Parameters<typeof winograd>[4], {});
    return { read: out.read() };
  });
  return await y.read;
}

for (const size of [4, 6] as const) {
  test(`tiles of ${size} x ${size} keep NaN and infinities within the tiles that see them`, async () => {
    const shape = [12, 12, 4] as const;
    const ordinary = await byTiles(size, formula({ shape: [sizeOf(shape)], seed: 1 }), shape);
    for (const special of [nan, infinity, -infinity]) {
      const numbers = formula({ shape: [sizeOf(shape)], seed: 1 });
      const [h, w] = [5, 6];
      numbers[(h * 12 + w) * 4] = special;
      const found = await byTiles(size, numbers, shape);
      const step = size - 2;
      for (let i = 0; i < 12; i++) {
        for (let j = 0; j < 12; j++) {
          const at = (i * 12 + j) * 4;
          const underKernel = Math.abs(i - h) <= 1 && Math.abs(j - w) <= 1;
          // A tile of outputs reads one place more on each side.
          const inTile = [
            [i, h],
            [j, w],
          ].every(([place, source]) => {
            const first = Math.floor(place! / step) * step - 1;
            return source! >= first && source! < first + size;
          });
          if (underKernel) expect(found.slice(at, at + 4).some(Number.isFinite)).toBe(false);
          if (!inTile) expect(found.slice(at, at + 4)).toEqual(ordinary.slice(at, at + 4));
        }
      }
    }
  });
}

import { describe, expect, test } from "bun:test";
import { withoutGradients } from "../../../engine/autograd.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { attention, selfAttention } from "../../../engine/ops/attention.ts";
import { attentionWays } from "../../../engine/ops/attention-ways.ts";
import { batchedMatmul } from "../../../engine/ops/contraction/batched.ts";
import { contractWeight } from "../../../engine/ops/contraction/contract-weight.ts";
import { conv2d, conv2dInputGradient } from "../../../engine/ops/contraction/conv.ts";
import { convNorm } from "../../../engine/ops/contraction/conv-norm.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { contractionTiles, weightTiles } from "../../../engine/ops/contraction/tiles.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { formula } from "../check.ts";

const device = await openDevice();
const tensor = (shape: number[], seed: number) => Tensor.from(device, formula({ shape, seed }), shape);

const statistics = {
  scale: tensor([36], 3).keep(),
  shift: tensor([36], 4).keep(),
  runningMean: tensor([36], 5).keep(),
  runningVariance: Tensor.from(device, formula({ shape: [36], seed: 6, scale: 0.5, shift: 1 }), [36]).keep(),
};

function normalised(): Tensor {
  const options = { training: false, padding: 1, activation: "relu" } as const;
  return convNorm(tensor([2, 9, 11, 20], 1), tensor([3, 3, 20, 36], 2), statistics, options);
}

/** Contractions of several forms: odd extents, strides, one row, scattered input gradients, thin and wide. */
const forms: [string, () => Tensor][] = [
  ["matmul 37x70x45", () => matmul(tensor([37, 70], 1), tensor([70, 45], 2))],
  ["matmul 1x12x9", () => matmul(tensor([1, 12], 1), tensor([12, 9], 2))],
  ["matmul 130x8x260", () => matmul(tensor([130, 8], 1), tensor([8, 260], 2))],
  ["conv 3x3", () => conv2d(tensor([2, 9, 11, 20], 1), tensor([3, 3, 20, 72], 2), { padding: 1 })],
  ["conv 3x3 by tiles", () => conv2d(tensor([1, 13, 14, 48], 1), tensor([3, 3, 48, 64], 2), { padding: 1 })],
  ["conv 5x3 stride 2", () => conv2d(tensor([3, 11, 8, 4], 1), tensor([5, 3, 4, 36], 2), { stride: 2, padding: 1 })],
  ["conv 3x3, batch norm, ReLU", () => normalised()],
  [
    "input gradient",
    () =>
      conv2dInputGradient(tensor([2, 5, 6, 36], 1), tensor([3, 3, 8, 36], 2), [2, 9, 11, 8], { stride: 2, padding: 1 }),
  ],
  [
    "input gradient of 1x1 with stride 2",
    () => conv2dInputGradient(tensor([2, 5, 6, 12], 1), tensor([1, 1, 8, 12], 2), [2, 9, 11, 8], { stride: 2 }),
  ],
  [
    "weight gradient",
    () =>
      contractWeight(tensor([3, 9, 11, 8], 1), tensor([3, 9, 11, 68], 2), {
        images: 3,
        input: [9, 11],
        channels: 8,
        output: [9, 11],
        columns: 68,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
      }),
  ],
  ["batched matmul", () => batchedMatmul(tensor([3, 37, 10], 1), tensor([3, 10, 70], 2))],
  [
    "gradient of a batched matmul",
    () => gradientOf((a) => batchedMatmul(tensor([3, 37, 10], 1), a), tensor([3, 10, 70], 2), tensor([3, 37, 70], 3)),
  ],
  [
    "attention, 10 vec4s a row",
    () => attention(tensor([2, 45, 2, 40], 1), tensor([2, 38, 2, 40], 2), tensor([2, 38, 2, 40], 3)),
  ],
  ["attention, 16 vec4s a row", () => selfAttention(tensor([1, 45, 3, 2, 64], 1))],
  ["attention gradients", () => gradientOf(selfAttention, tensor([2, 45, 3, 2, 32], 1), tensor([2, 45, 2, 32], 2))],
];

function gradientOf(operation: (x: Tensor) => Tensor, x: Tensor, dy: Tensor): Tensor {
  x.requiresGradient = true;
  const { node } = operation(x);
  const gradients = withoutGradients(() => node!.gradient(dy));
  return gradients.find((gradient) => gradient !== undefined)!;
}

describe("ways to run an operation", () => {
  for (const [name, run] of forms) {
    test(`${name}: all give the same bits`, async () => {
      const bits = async () =>
        Array.from(new Uint32Array((await device.scope(() => ({ read: run().read() })).read).buffer));
      const expected = await bits();
      // The keys of the operations that the form consists of.
      const before = new Set(device.tuner.choices.keys());
      const tried: string[] = [];
      await device.tuner.tune({ budgetMs: 60_000, onTuned: ({ times }) => tried.push(...times.map(({ way }) => way)) });
      const keys = [...device.tuner.choices.keys()].filter((key) => !before.has(key));
      expect(keys.length).toBeGreaterThan(0);
      for (const way of new Set(tried)) {
        device.tuner.restore(keys.map((key) => [key, way]));
        expect(await bits()).toEqual(expected);
      }
    });
  }

  test("there are several on every adapter, each within its limits", () => {
    const { maxComputeInvocationsPerWorkgroup: most } = device.gpu.limits;
    for (const rows of [1, 40, 5000]) {
      for (const tiles of [contractionTiles(device, rows, 64), weightTiles(device, rows, 64)]) {
        // Of a single row and without subgroups there is nothing to vary.
        expect(tiles.length).toBeGreaterThan(rows === 1 && device.subgroupSize === 0 ? 0 : 1);
        expect(new Set(tiles.map(({ name }) => name)).size).toBe(tiles.length);
        for (const { constants } of tiles) {
          const { THREADS_X = constants["LANES"], THREADS_Y = 1 } = constants;
          expect(Number(THREADS_X) * Number(THREADS_Y)).toBeLessThanOrEqual(most);
        }
      }
    }
  });
});

test("attention gives the same bits with and without subgroups", async () => {
  const results: number[][] = [];
  for (const other of [device, await openDevice({ withoutFeatures: ["subgroups"] })]) {
    const { reads } = other.scope(() => {
      const make = (shape: number[], seed: number) => Tensor.from(other, formula({ shape, seed }), shape);
      const x = make([2, 45, 3, 2, 64], 1);
      return { reads: [selfAttention(x).read(), gradientOf(selfAttention, x, make([2, 45, 2, 64], 2)).read()] };
    });
    results.push((await Promise.all(reads)).flatMap((read) => [...read]));
  }
  expect(results[1]).toEqual(results[0]!);
});

test("attention has several ways on every adapter, with each vec4 of a row loaded once", () => {
  for (const width of [1, 5, 10, 16, 31, 32]) {
    const ways = attentionWays(device, width);
    expect(ways.length).toBeGreaterThan(1);
    expect(new Set(ways.map(({ name }) => name)).size).toBe(ways.length);
    for (const { constants } of ways) expect(Number(constants["ROW_LANES"]) * Number(constants["GROUPS"])).toBe(width);
  }
});

describe("the tuner", () => {
  /** Ways that keep the adapter busy for so many matrix products. */
  const work = tensor([96, 96], 3).keep();
  const ways = [
    { name: "slow", products: 12 },
    { name: "fast", products: 1 },
  ];
  const trial = () => ({
    run: ({ products }: { products: number }) => {
      for (let i = 0; i < products; i++) matmul(work, work).dispose();
    },
    dispose: () => {},
  });

  test("starts with the default and takes the fastest once it has timed", async () => {
    const { tuner } = await openDevice();
    expect(tuner.choose("a", ways, trial).name).toBe("slow");
    expect(tuner.untried).toBe(1);
  });

  test("keeps times of losers, too", async () => {
    await device.tuner.tune({ budgetMs: 60_000 });
    expect(device.tuner.choose("b", ways, trial).name).toBe("slow");
    expect(await device.tuner.tune({ budgetMs: 60_000 })).toBeGreaterThan(0);
    expect(device.tuner.choose("b", ways, trial).name).toBe("fast");
    const tuning = device.tuner.tunings.find(({ key }) => key === "b")!;
    expect(tuning.times.map(({ way }) => way)).toEqual(["fast", "slow"]);
    expect(tuning.times[0]!.milliseconds).toBeLessThan(tuning.times[1]!.milliseconds);
  });

  test("stops when its budget is spent", async () => {
    for (const key of ["c", "d", "e"]) device.tuner.choose(key, ways, trial);
    expect(await device.tuner.tune({ budgetMs: 0 })).toBe(0);
    expect(device.tuner.untried).toBe(3);
    expect(await device.tuner.tune({ budgetMs: 1e-3 })).toBe(1);
  });

  test("restored choices hold without timing, unknown ones fall back, off is off", () => {
    device.tuner.restore([
      ["f", "fast"],
      ["g", "of another version"],
    ]);
    expect(device.tuner.choose("f", ways, trial).name).toBe("fast");
    expect(device.tuner.choose("g", ways, trial).name).toBe("slow");
    device.tuner.enabled = false;
    expect(device.tuner.choose("f", ways, trial).name).toBe("slow");
    device.tuner.enabled = true;
  });
});

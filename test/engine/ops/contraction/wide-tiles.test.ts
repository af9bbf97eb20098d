import { describe, expect, test } from "bun:test";
import type { Device } from "../../../../engine/device/device.ts";
import { isWide } from "../../../../engine/device/subgroups.ts";
import { specialise } from "../../../../engine/kernel/source.ts";
import type { Constants } from "../../../../engine/kernel/template.ts";
import { attentionWays } from "../../../../engine/ops/attention-ways.ts";
import { cast } from "../../../../engine/ops/cast.ts";
import { type Contraction, type Epilogue, runContraction } from "../../../../engine/ops/contraction/contract.ts";
import { runWeightContraction, type WeightContraction } from "../../../../engine/ops/contraction/contract-weight.ts";
import { sharedTile, type Tile } from "../../../../engine/ops/contraction/tile.ts";
import { contractionTiles, weightTiles } from "../../../../engine/ops/contraction/tiles.ts";
import { wideTiles, wideWeightTiles } from "../../../../engine/ops/contraction/wide-tiles.ts";
import { sizeOf, Tensor } from "../../../../engine/tensor.ts";
import { formula } from "../../check.ts";
import { sharedDevice } from "../../device.ts";

const device = await sharedDevice();
const plentiful = Number.MAX_SAFE_INTEGER;

/** As much of a device as tiles are chosen by, with subgroups of `min` to `max` lanes. */
const deviceOf = (min: number, max: number, features: readonly string[] = ["subgroups", "subgroup-size-control"]) =>
  ({
    subgroups: { min, max },
    subgroupSize: features.includes("subgroups") && min === max ? min : 0,
    features: new Set(features),
    isSoftware: false,
    gpu: { limits: { maxComputeWorkgroupStorageSize: 32768, maxComputeInvocationsPerWorkgroup: 1024 } },
  }) as unknown as Device;

const gpus: readonly (readonly [name: string, device: Device])[] = [
  ["NVIDIA and RDNA with waves of 32", deviceOf(32, 32)],
  ["GCN", deviceOf(64, 64)],
  ["RDNA", deviceOf(32, 64)],
  ["RDNA without control of sizes", deviceOf(32, 64, ["subgroups"])],
  ["Intel", deviceOf(8, 32)],
  ["Apple by Dawn", deviceOf(4, 64, ["subgroups"])],
  ["one with the feature withheld", deviceOf(64, 64, [])],
  ["one that does not tell", deviceOf(0, 0, [])],
];

const plainEnd = { BIAS: false, NORM: false, ACTIVATION: "none", SCATTER: false };
const extents = [1, 2, 3, 4, 7, 8, 16, 33, 64, 256, 1000, 50176];

describe("adapters with wide subgroups", () => {
  for (const [name, gpu] of gpus) {
    test(`${name}: no workgroup is narrower than the widest subgroup, and none broadcasts in subgroups`, () => {
      expect(isWide(gpu)).toBe(true);
      const ways = new Map<string, readonly [kernel: string, constants: Constants]>();
      const note = (kernel: string, constants: Constants) =>
        ways.set(`${kernel} ${JSON.stringify(constants)}`, [kernel, constants]);
      for (const a of extents) {
        for (const b of extents) {
          for (const tile of contractionTiles(gpu, a, b)) note(tile.kernel, { ...tile.constants, ...plainEnd });
          for (const tile of weightTiles(gpu, a, b)) note(tile.kernel, tile.constants);
        }
      }
      for (const width of [1, 5, 8, 16, 31, 32]) {
        for (const { shared, constants } of attentionWays(gpu, width)) {
          note(`attention/${shared ? "shared_" : ""}forward`, constants);
          note(`attention/${shared ? "shared_" : ""}gradient`, {
            ...constants,
            OWN: "keys",
            FUSED: false,
            ...(shared && { SIDES: 2 }),
          });
        }
      }
      expect(ways.size).toBeGreaterThan(10);
      for (const [way, [kernel, constants]] of ways) {
        const { workgroup, wgsl } = specialise(kernel, constants);
        expect([way, workgroup.reduce((a, b) => a * b) % 64]).toEqual([way, 0]);
        expect([way, /enable subgroups;/.test(wgsl)]).toEqual([way, false]);
      }
    });

    test(`${name}: every contraction, weight and attention has a way`, () => {
      for (const a of extents) {
        for (const b of extents) {
          expect(contractionTiles(gpu, a, b).length).toBeGreaterThan(0);
          expect(weightTiles(gpu, a, b).length).toBeGreaterThan(0);
        }
      }
      for (let width = 1; width <= 32; width++) expect(attentionWays(gpu, width).length).toBeGreaterThan(0);
    });
  }

  test("a size of subgroups is asked for only where there are several", () => {
    const asks = (gpu: Device) => contractionTiles(gpu, 1000, 1000).some(({ constants }) => "SUBGROUP" in constants);
    expect(gpus.filter(([, gpu]) => asks(gpu)).map(([name]) => name)).toEqual(["RDNA", "Intel"]);
  });

  test("software drivers keep their own", () => {
    expect(isWide(device)).toBe(false);
    expect(isWide({ ...deviceOf(8, 8), isSoftware: true })).toBe(false);
    expect(isWide({ ...deviceOf(0, 0), isSoftware: true })).toBe(false);
  });
});

const tensor = (shape: readonly number[], seed: number) =>
  Tensor.from(device, formula({ shape: [...shape], seed }), shape);

const product: Contraction = {
  images: 150,
  grid: [1, 1],
  input: [1, 1],
  channels: 76,
  columns: 140,
  taps: [1, 1],
  stride: [1, 1],
  step: [1, 1],
  offset: [0, 0],
  kernelStart: [0, 0],
  kernelStep: [1, 1],
  kernelWidth: 1,
};

/** Of odd extents, over the edges of every tile. */
const contractions: readonly { name: string; shape: Contraction; epilogue?: "bias" | "norm"; entries?: number }[] = [
  { name: "a product", shape: product, epilogue: "bias" },
  { name: "a product of one channel", shape: { ...product, images: 5, channels: 4, columns: 4 } },
  { name: "a batch of products", shape: { ...product, images: 37, channels: 20, columns: 36, entries: 3 } },
  {
    name: "a convolution 3x3 with stride",
    shape: {
      ...product,
      images: 3,
      grid: [9, 7],
      input: [9, 14],
      channels: 20,
      columns: 36,
      taps: [3, 3],
      stride: [1, 2],
      offset: [-1, -1],
      kernelWidth: 3,
    },
    epilogue: "norm",
  },
  {
    name: "an input gradient with stride 2",
    shape: {
      ...product,
      images: 2,
      grid: [5, 6],
      input: [5, 6],
      channels: 36,
      columns: 20,
      taps: [2, 1],
      step: [-1, -1],
      kernelStep: [2, 2],
      kernelWidth: 3,
      scatter: { output: [9, 11], stride: [2, 2], start: [0, 0] },
    },
  },
];

/** Every way of GPUs, and the last of them written out, in the adapter's own size of subgroups where it can be asked for. */
const wide = wideTiles(device, plentiful, plentiful);
const asked = device.features.has("subgroup-size-control") && device.subgroupSize > 0;
const smallest = { x: 16, y: 8, rows: 4, columns: 1, depth: 4 };
const writtenOut = sharedTile(smallest, true);
const more: Tile[] = [
  { ...writtenOut, name: `${writtenOut.name} written out` },
  ...(asked
    ? [{ ...writtenOut, name: "in subgroups", constants: { ...writtenOut.constants, SUBGROUP: device.subgroupSize } }]
    : []),
];

describe("contractions in the tiles of GPUs have the bits of those in tiles of this adapter", () => {
  for (const dtype of ["f32", "f16"] as const) {
    for (const { name, shape, epilogue } of dtype === "f32" ? contractions : contractions.slice(0, 1)) {
      test.skipIf(dtype === "f16" && !device.features.has("shader-f16"))(`${name}, ${dtype}`, async () => {
        const { entries = 1, images, input, channels, columns, kernelWidth } = shape;
        const rows = images * shape.grid[0] * shape.grid[1];
        const height = shape.kernelStart[0] + (shape.taps[0] - 1) * shape.kernelStep[0] + 1;
        const ways = [contractionTiles(device, rows, columns / 4)[0]!, ...wide, ...(name === "a product" ? more : [])];
        const reads = device.scope(() => {
          const x = cast(tensor([entries, images, ...input, channels], 1), dtype);
          const weight = cast(tensor([entries, height, kernelWidth, channels, columns], 2), dtype);
          const norm = { moments: tensor([2, columns], 3), scale: tensor([columns], 4), shift: tensor([columns], 5) };
          const end: Epilogue =
            epilogue === "bias"
              ? { bias: tensor([columns], 6), activation: "relu" }
              : epilogue === "norm"
                ? { norm, activation: "relu6" }
                : {};
          return ways.map((way) => {
            const out = Tensor.zeros(device, [entries, images, ...(shape.scatter?.output ?? shape.grid), columns]);
            runContraction(way, x, weight, out, shape, end);
            return { way: way.name, read: out.read() };
          });
        });
        const [expected, ...found] = await Promise.all(reads.map(async ({ way, read }) => [way, bits(await read)]));
        expect((expected![1] as number[]).some((word) => word !== 0)).toBe(true);
        for (const [way, words] of found) expect([way, words]).toEqual([way, expected![1]!]);
      });
    }
  }
});

const gradients: readonly { name: string; shape: WeightContraction }[] = [
  {
    name: "of a matrix",
    shape: {
      images: 75,
      input: [1, 1],
      channels: 76,
      output: [1, 1],
      columns: 140,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
  },
  {
    name: "of a convolution 3x3",
    shape: {
      images: 3,
      input: [9, 19],
      channels: 20,
      output: [9, 19],
      columns: 36,
      kernel: [3, 3],
      stride: [1, 1],
      padding: [1, 1],
    },
  },
  {
    name: "of a convolution 5x2 with stride and lines that meet padding alone",
    shape: {
      images: 2,
      input: [6, 40],
      channels: 4,
      output: [6, 21],
      columns: 4,
      kernel: [5, 2],
      stride: [2, 2],
      padding: [3, 1],
    },
  },
];

describe("gradients of weights in the tiles of GPUs have the bits of those in tiles of this adapter", () => {
  for (const apart of [undefined, "f32"] as const) {
    for (const { name, shape } of gradients) {
      test(`${name}${apart ? ", of each image apart" : ""}`, async () => {
        const { images, input, output, channels, columns, kernel } = shape;
        const own = weightTiles(device, (kernel[1] * channels) / 4, columns / 4);
        const ways = [own[0]!, ...wideWeightTiles(device, plentiful, plentiful)];
        const reads = device.scope(() => {
          const x = tensor([images, ...input, channels], 1);
          const dy = tensor([images, ...output, columns], 2);
          return ways.map((way) => ({
            way: way.name,
            read: runWeightContraction(way, x, dy, { ...shape, ...(apart && { apart }) }).read(),
          }));
        });
        const [expected, ...found] = await Promise.all(reads.map(async ({ way, read }) => [way, bits(await read)]));
        expect(expected![1]).toHaveLength(sizeOf([...kernel, channels, columns]) * (apart ? images : 1));
        expect((expected![1] as number[]).some((word) => word !== 0)).toBe(true);
        for (const [way, words] of found) expect([way, words]).toEqual([way, expected![1]!]);
      });
    }
  }
});

function bits(values: ArrayLike<number>): number[] {
  return Array.from(new Uint32Array(Float32Array.from(values).buffer));
}

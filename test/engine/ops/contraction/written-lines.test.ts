import { expect, test } from "bun:test";
import type { Device } from "../../../../engine/device/device.ts";
import { openDevice } from "../../../../engine/device/open.ts";
import { contractWeight } from "../../../../engine/ops/contraction/contract-weight.ts";
import { matmul } from "../../../../engine/ops/contraction/matmul.ts";
import { contractionTiles, weightTiles } from "../../../../engine/ops/contraction/tiles.ts";
import { sizeOf, Tensor } from "../../../../engine/tensor.ts";

// conv/tile and conv/weight_gradient write their rows by a loop on software adapters, which other tests check, and by lines for each
// elsewhere: to the same bits, with rows and columns that fill no tile.
test("tiles written by lines have the bits of those written by a loop", async () => {
  const [loop, lines] = [await openDevice(), await openDevice()];
  try {
    Object.defineProperty(loop, "isSoftware", { value: true });
    Object.defineProperty(lines, "isSoftware", { value: false });
    const tilesOf = (device: Device) => [...contractionTiles(device, 37, 11), ...weightTiles(device, 9, 5)];
    const ways = (device: Device) => tilesOf(device).flatMap(({ constants }) => constants["LOOP"] ?? []);
    expect([new Set(ways(loop)), new Set(ways(lines))]).toEqual([new Set([true]), new Set([false])]);
    const noise = (device: Device, shape: number[]) =>
      Tensor.from(
        device,
        Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(3 * i)),
        shape,
      );
    const layer = {
      ...{ images: 2, input: [5, 7], output: [5, 7], channels: 12, columns: 20 },
      ...{ kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
    } as unknown as Parameters<typeof contractWeight>[2];
    const results = [loop, lines].map((device) =>
      device.scope(() => ({
        products: [1, 3, 37].map((rows) => matmul(noise(device, [rows, 19]), noise(device, [19, 44])).read()),
        gradient: contractWeight(noise(device, [2, 5, 7, 12]), noise(device, [2, 5, 7, 20]), layer).read(),
      })),
    );
    const [a, b] = await Promise.all(
      results.map(async ({ products, gradient }) => [...(await Promise.all(products)), await gradient]),
    );
    expect(b).toEqual(a!);
  } finally {
    loop.close();
    lines.close();
  }
});

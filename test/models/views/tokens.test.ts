import { expect, test } from "bun:test";
import { Tensor } from "../../../engine/tensor.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";
import { PrefixInputs } from "../../../models/views/prefix-inputs.ts";
import { drawTokens, keptPatches } from "../../../models/views/tokens.ts";
import { sharedDevice } from "../../engine/device.ts";

const [images, pooled, tokens, width] = [3, 5, 11, 4] as const;
const length = pooled + tokens * width;

/** Rows whose entries say where they come from: 1000 · picture + place. */
async function drawn(seeds: readonly number[], share: number): Promise<number[][]> {
  const device = await sharedDevice();
  const values = Float32Array.from({ length: images * length }, (_, i) => 1000 * Math.floor(i / length) + (i % length));
  const read = device.scope(() => {
    const rows = Tensor.from(device, values, [images, length]);
    return { read: drawTokens(rows, [tokens, width], seeds, share).read() };
  });
  const all = [...(await read.read)];
  const each = all.length / images;
  return Array.from({ length: images }, (_, n) => all.slice(n * each, (n + 1) * each).map((value) => value - 1000 * n));
}

test("whole tokens are kept, the class token and so many patches in ascending order, and what was pooled before", async () => {
  for (const row of await drawn([1, 2, 3], 0.4)) {
    expect(row.slice(0, pooled)).toEqual([0, 1, 2, 3, 4]);
    const kept = row.slice(pooled);
    expect(kept.length).toBe((1 + 4) * width);
    const places = kept.filter((_, i) => i % width === 0).map((value) => (value - pooled) / width);
    expect(places[0]).toBe(0);
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
    expect(places.every((place) => Number.isInteger(place) && place < tokens)).toBe(true);
    expect(kept).toEqual(places.flatMap((place) => [0, 1, 2, 3].map((i) => pooled + place * width + i)));
  }
});

test("other seeds take other patches, each as often as the others; the same seed takes the same", async () => {
  const [first, second, again] = await drawn([7, 8, 7], 0.4);
  expect(again).toEqual(first!);
  expect(second).not.toEqual(first!);
  const counts = new Array<number>(tokens).fill(0);
  const rounds = 100;
  for (let round = 0; round < rounds; round++) {
    for (const row of await drawn([3 * round, 3 * round + 1, 3 * round + 2], 0.4))
      for (let i = pooled; i < row.length; i += width) counts[(row[i]! - pooled) / width]!++;
  }
  expect(counts[0]).toBe(images * rounds);
  // 300 draws of 0.4: mean 120, deviation 8.5; five deviations.
  for (const count of counts.slice(1)) expect(Math.abs(count - 120)).toBeLessThan(43);
});

test("a share that rounds to no patch keeps one, and 1 keeps all", async () => {
  expect([0.001, 0.5, 1].map((share) => keptPatches(961, share))).toEqual([1, 481, 961]);
  const [row] = await drawn([1, 2, 3], 1);
  expect(row).toEqual(Array.from({ length }, (_, i) => i));
});

test("it is refused where there are no tokens, none are stored, or nothing learns after them", async () => {
  expect(() => cplOptions({ tokenShare: 0.5, frozen: 2 })).toThrow("only vision transformers have tokens");
  const vit = { backbone: "vit_tiny_patch16_224", tokenShare: 0.5 } as const;
  expect(() => cplOptions(vit)).toThrow("give `frozen`");
  expect(() => cplOptions({ ...vit, frozen: 2, tokenShare: 0 })).toThrow("tokenShare");
  const device = await sharedDevice();
  const model = new QualityNetwork(device, cplOptions({ ...vit, frozen: 14, resize: 32, crop: 32 }));
  await expect(PrefixInputs.open(model, 2, "/nowhere")).rejects.toThrow("no section learns after the 14 frozen ones");
  model.dispose();
});

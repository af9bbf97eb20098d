import { gatherRows } from "../../engine/ops/gather.ts";
import { concat, slice } from "../../engine/ops/join.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { Random } from "../../engine/random.ts";
import { type Shape, Tensor } from "../../engine/tensor.ts";

/** Patches of a map that are kept, at least one. */
export function keptPatches(patches: number, share: number): number {
  return Math.max(1, Math.round(share * patches));
}

/**
 * The class token and a share of the patches of each picture, other ones for each seed, in ascending order (Liu et al. 2023,
 * PatchDropout). A picture's patches are equally likely to be kept.
 * @param rows [N, P + T · C], what lies before the tokens staying as it is @param map T, class token included, and C
 * @param seeds one for each row
 * @returns [N, P + (1 + kept) · C]
 */
export function drawTokens(rows: Tensor, map: Shape, seeds: readonly number[], share: number): Tensor {
  const [images, length] = rows.shape as [number, number];
  const [tokens, width] = map as [number, number];
  const start = length - tokens * width;
  const kept = keptPatches(tokens - 1, share);
  const taken = seeds.flatMap((seed, n) => {
    const patches = new Random(seed, "tokens").shuffle(Array.from({ length: tokens - 1 }, (_, i) => i + 1));
    return [0, ...patches.slice(0, kept).sort((a, b) => a - b)].map((token) => n * tokens + token);
  });
  const indices = Tensor.from(rows.device, Uint32Array.from(taken), [images, 1 + kept]);
  const table = reshape(slice(rows, [0, start], [images, length]), [images * tokens, width]);
  const drawn = reshape(gatherRows(table, indices), [images, (1 + kept) * width]);
  return start === 0 ? drawn : concat([slice(rows, [0, 0], [images, start]), drawn], 1);
}

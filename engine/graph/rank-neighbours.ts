import { evenParts } from "../ranks/ranks.ts";
import { Tensor } from "../tensor.ts";
import { type NeighbourOptions, type Neighbours, nearestNeighbours, rowStep } from "./neighbours.ts";

/**
 * {@link nearestNeighbours} of all points, to the same bits; where the device works in step with other ranks, each searches for those of a part of
 * the points, and all get all.
 */
export async function neighboursByRanks(
  features: Tensor,
  options: Omit<NeighbourOptions, "rows">,
): Promise<Neighbours> {
  const { device } = features;
  const { ranks } = device;
  const points = features.shape[0]!;
  if (!ranks || points < rowStep * ranks.size) return device.owned("graph", () => nearestNeighbours(features, options));
  const bounds = evenParts(Math.ceil(points / rowStep), ranks.size).map((step) => Math.min(points, step * rowStep));
  const rowsOf = (rank: number) => bounds[rank + 1]! - bounds[rank]!;
  const own = nearestNeighbours(features, {
    ...options,
    rows: { start: bounds[ranks.rank]!, count: rowsOf(ranks.rank) },
  });
  const { metric, indices, values } = own;
  const k = indices.shape[1]!;
  const [numbers, distances] = await Promise.all([indices.readIndices(), values.read()]);
  for (const tensor of [indices, values]) tensor.dispose();
  const lengths = bounds.slice(1).map((_, rank) => 4 * k * rowsOf(rank));
  const joined = async (data: Uint32Array | Float32Array) =>
    Buffer.concat(await ranks.gather(new Uint8Array(data.buffer), lengths));
  const [allNumbers, allDistances] = [await joined(numbers), await joined(distances)];
  const shape = [points, k];
  return {
    metric,
    indices: Tensor.from(device, new Uint32Array(Uint8Array.from(allNumbers).buffer), shape),
    values: Tensor.from(device, new Float32Array(Uint8Array.from(allDistances).buffer), shape),
  };
}

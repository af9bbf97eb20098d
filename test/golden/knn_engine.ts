/** Neighbours of the points of `points.py`, for `knn_compare.py`: bun knn_engine.ts POINTS CHANNELS COPIES K METRIC FILE. */
import { writeFileSync } from "node:fs";
import { openDevice } from "../../engine/device/open.ts";
import { type Metric, nearestNeighbours } from "../../engine/graph/neighbours.ts";
import { Tensor } from "../../engine/tensor.ts";
import { hashedPoints } from "../engine/graph/reference.ts";

const [points, channels, copies, k] = process.argv.slice(2, 6).map(Number) as [number, number, number, number];
const [metric, file] = process.argv.slice(6) as [Metric, string];
using device = await openDevice();
const reads = device.scope(() => {
  const features = Tensor.from(device, hashedPoints({ points, channels, levels: 2 ** 24, copies }), [points, channels]);
  const { indices, values } = nearestNeighbours(features, { k, metric });
  return { indices: indices.readIndices(), values: values.read() };
});
const indices = await reads.indices;
const values = await reads.values;
writeFileSync(file, new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength));
writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), { flag: "a" });

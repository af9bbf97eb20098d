import type { Device } from "../../device/device.ts";
import { type MatrixUnit, unitName } from "../../device/matrix-units.ts";
import type { DataType } from "../../tensor.ts";
import type { Tile } from "./tile.ts";

/**
 * The unit that a contraction of these extents and types runs on, on a device that was opened with subgroup matrices;
 * undefined for the plain kernels. Tensors of f16 take any, tensors of f32 are never rounded to f16. What is smaller
 * than one matrix stays with the plain kernels.
 */
export function matrixUnitFor(
  device: Device,
  x: DataType,
  rows: number,
  columns: number,
  channels: number,
): MatrixUnit | undefined {
  const fitting = (unit: MatrixUnit) => rows >= unit.M && columns >= unit.N && channels >= unit.K;
  return device.matrixUnits.find((unit) => (x === "f16" || unit.component === "f32") && fitting(unit));
}

/** Blocks of a workgroup, and rows and columns of a block, at most. Each block is the work of one subgroup. */
const shapes = [
  { blockRows: 2, blockColumns: 2, rows: 32, columns: 32 },
  { blockRows: 2, blockColumns: 4, rows: 64, columns: 32 },
  { blockRows: 1, blockColumns: 4, rows: 32, columns: 32 },
  { blockRows: 1, blockColumns: 1, rows: 16, columns: 32 },
];
/** Channels of a turn. */
const depth = 32;

/**
 * Ways to run a contraction with subgroup matrices, the default first; none where no tile fits the adapter's limits. All
 * add the same matrices in the same order.
 */
export function matrixTiles(
  device: Device,
  unit: MatrixUnit,
  rows: number,
  columns4: number,
  [xType, weightType]: readonly [DataType, DataType],
): Tile[] {
  const { component, sum, M, N, K, lanes, emulated } = unit;
  const { maxComputeWorkgroupStorageSize: memory, maxComputeInvocationsPerWorkgroup: invocations } = device.gpu.limits;
  const bytes = { f16: 2, f32: 4 };
  // Loops in place of matrices take seconds to compile: two tiles, of many blocks and of one, have all there is to them.
  const built = emulated ? [shapes[0]!, shapes.at(-1)!] : shapes;
  const tiles = built.map((shape) => {
    const [blockRows, blockColumns] = [Math.max(1, shape.rows / M), Math.max(1, shape.columns / N)];
    const tileRows = shape.blockRows * blockRows * M;
    const tileColumns = shape.blockColumns * blockColumns * N;
    const blocks = shape.blockRows * shape.blockColumns;
    const threads = blocks * lanes;
    const staged = tileRows * (depth + 8) + depth * (tileColumns + 8);
    return {
      threads,
      bytes: staged * bytes[component] + blocks * M * blockColumns * N * bytes[sum],
      name: `matrices ${tileRows}x${tileColumns}`,
      unit: unitName(unit),
      kernel: "conv/matrix_tile",
      constants: {
        EMULATED: emulated,
        THREADS: threads,
        BLOCK_ROWS: shape.blockRows,
        BLOCK_COLUMNS: shape.blockColumns,
        ROWS: blockRows,
        COLUMNS: blockColumns,
        M,
        N,
        K,
        DEPTH: depth,
        X_LOADS: Math.ceil((tileRows * depth) / 4 / threads),
        WEIGHT_LOADS: Math.ceil((tileColumns * depth) / 4 / threads),
        COMPONENT: component,
        SUM: sum,
        X_HALF: xType === "f16",
        WEIGHT_HALF: weightType === "f16",
        HALF: [component, sum, xType, weightType].includes("f16"),
      },
      rows: tileRows,
      columns4: tileColumns / 4,
    };
  });
  const possible = tiles.filter((tile) => tile.bytes <= memory && tile.threads <= invocations);
  const fitting = possible.filter((tile) => tile.rows < 2 * rows + 32 && tile.columns4 < 2 * columns4 + 8);
  return (fitting.length > 0 ? fitting : possible.slice(-1)).map(({ bytes: _, threads: __, ...tile }) => tile);
}

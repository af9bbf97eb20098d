import type { Device } from "../../device/device.ts";
import { canChoose } from "../../device/subgroups.ts";
import type { Constants } from "../../kernel/template.ts";
import { type SharedShape, sharedFits, sharedTile, type Tile } from "./tile.ts";

// For adapters with wide subgroups: their invocations have workgroup memory and registers of their own, and broadcasts cost them as
// much as products do. No kernel here asks how many lanes a subgroup has, and no workgroup has fewer than the widest.

/** Lanes of the widest subgroup. */
const lanes = 64;

/** By their products for each load; of the last two every GPU keeps four waves on a SIMD. */
const shapes: readonly SharedShape[] = [
  { x: 16, y: 16, rows: 4, columns: 2, depth: 4 },
  { x: 16, y: 16, rows: 8, columns: 2, depth: 2 },
  { x: 16, y: 16, rows: 4, columns: 1, depth: 4 },
  { x: 16, y: 8, rows: 4, columns: 1, depth: 4 },
];

/** Ways to run a contraction, as `contractionTiles` has them. */
export function wideTiles(device: Device, rows: number, columns4: number): Tile[] {
  const registers = registerTiles(rows);
  const shared = shapes.flatMap((shape) => sharedTiles(device, shape, rows, columns4));
  // A tile in workgroup memory has 32 rows at least.
  return rows <= 8 ? [...registers, ...shared] : [...shared, ...registers];
}

/** Rows of x are the same for all lanes, which GPUs load once. */
function registerTiles(rows: number): Tile[] {
  const most = Math.min(8, rows);
  return [most, ...[4].filter((count) => count < most)].map((groups) => ({
    name: `registers ${groups}x${4 * lanes}`,
    kernel: "conv/tile",
    constants: { BROADCAST: false, LOOP: false, LANES: lanes, ROW_LANES: 1, GROUPS: groups, COLUMNS: 1 },
    rows: groups,
    columns4: lanes,
  }));
}

function sharedTiles(device: Device, shape: SharedShape, rows: number, columns4: number): Tile[] {
  const [tileRows, tileColumns] = [shape.y * shape.rows, shape.x * shape.columns];
  // Software drivers, on which tests run these, take long to compile what is written out.
  const tile = sharedTile(shape, !device.isSoftware);
  const large = tileRows >= 2 * rows + 32 || tileColumns >= 2 * columns4 + 8;
  return large || !sharedFits(device, shape, tileRows + 4 * tileColumns) ? [] : inSizes(device, shape, tile);
}

/** The largest tile takes so many registers that narrower subgroups may serve it better, where there are some. */
function inSizes(device: Device, { rows, columns }: SharedShape, tile: Tile): Tile[] {
  if (rows * columns < 16 || !canChoose(device, 32)) return [tile];
  const constants: Constants = { ...tile.constants, SUBGROUP: 32 };
  return [tile, { ...tile, name: `${tile.name} in subgroups of 32`, constants }];
}

/** Rows are vec4s here; small tiles first, for there are few workgroups of large ones. */
const weightShapes: readonly SharedShape[] = [
  { x: 16, y: 16, rows: 1, columns: 1, depth: 16 },
  { x: 16, y: 8, rows: 1, columns: 1, depth: 16 },
  { x: 16, y: 16, rows: 2, columns: 2, depth: 8 },
];

/** Ways to make the gradient of a weight, as `weightTiles` has them. */
export function wideWeightTiles(device: Device, rows4: number, columns4: number): Tile[] {
  return weightShapes.flatMap((shape, i) => {
    const { x, y, rows, columns, depth } = shape;
    const [tileRows, tileColumns, threads] = [y * rows, x * columns, x * y];
    // The first two are for every weight.
    const large = i > 1 && (tileRows > 2 * rows4 || tileColumns > 2 * columns4);
    if (large || !sharedFits(device, shape, tileRows + tileColumns)) return [];
    return [
      {
        name: `workgroup ${4 * tileRows}x${4 * tileColumns} by ${depth}`,
        kernel: "conv/shared_weight_gradient",
        constants: {
          THREADS: threads,
          THREADS_X: x,
          THREADS_Y: y,
          ROWS4: rows,
          COLUMNS: columns,
          POSITIONS: depth,
          X_LOADS: (depth * tileRows) / threads,
          DY_LOADS: (depth * tileColumns) / threads,
        },
        rows: tileRows,
        columns4: tileColumns,
      },
    ];
  });
}

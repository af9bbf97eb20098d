import type { Device } from "../../device/device.ts";
import type { Constants } from "../../kernel/template.ts";

/** A way to run a contraction: which kernel, with which constants, and what one workgroup of it makes. */
export interface Tile {
  readonly name: string;
  readonly kernel: string;
  readonly constants: Constants;
  readonly rows: number;
  readonly columns4: number;
  /** Operands that its kernel reads from textures. */
  readonly textures?: readonly string[];
  /** The subgroup matrices it is built of, whose bits are their own. */
  readonly unit?: string;
}

/** Threads of a workgroup, and the rows and vec4 columns of each; `depth` vec4s of channels, or positions, at a time. */
export interface SharedShape {
  readonly x: number;
  readonly y: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** A tile of shaders/conv/shared_tile.wgsl, its products written out or in a loop. */
export function sharedTile({ x, y, rows, columns, depth }: SharedShape, writtenOut: boolean): Tile {
  const [tileRows, tileColumns, threads] = [y * rows, x * columns, x * y];
  return {
    name: `workgroup ${tileRows}x${4 * tileColumns}`,
    kernel: "conv/shared_tile",
    constants: {
      THREADS: threads,
      THREADS_X: x,
      THREADS_Y: y,
      ROWS: rows,
      COLUMNS: columns,
      DEPTH: depth,
      COPIES: writtenOut ? depth : 1,
      X_LOADS: (tileRows * depth) / threads,
      WEIGHT_LOADS: (4 * depth * tileColumns) / threads,
    },
    rows: tileRows,
    columns4: tileColumns,
  };
}

/** Whether a workgroup with so many vec4s for each of `depth` fits the adapter's limits. */
export function sharedFits(device: Device, { x, y, depth }: SharedShape, vec4s: number): boolean {
  const { maxComputeWorkgroupStorageSize: memory, maxComputeInvocationsPerWorkgroup: invocations } = device.gpu.limits;
  return 16 * depth * vec4s <= memory && x * y <= invocations;
}

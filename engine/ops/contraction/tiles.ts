import type { Device } from "../../device/device.ts";
import type { DataType } from "../../elements.ts";
import { texelBytes } from "../../kernel/storage.ts";
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

/** What decides whether an operand is read from a texture. */
export interface Operand {
  readonly dtype: DataType;
  readonly sizeBytes: number;
}

/**
 * Ways to run a contraction of `rows` by `columns4` vec4 columns on this adapter, the default first. All add the products
 * of an output in the same order, so that the choice changes the time and not one bit of the result.
 */
export function contractionTiles(device: Device, rows: number, columns4: number, weight?: Operand): Tile[] {
  const lanes = device.subgroupSize;
  const broadcast = lanes > 0 ? broadcastTiles(lanes, rows, columns4) : [];
  // The weight is copied into a texture for every call, which pays where many rows read it.
  const shown =
    weight && rows >= rowsWorthCopying && fitsTexture(device, weight) ? broadcast.map(byTexture("weight")) : [];
  const tiles = [...shown, ...broadcast];
  // A subgroup makes as many rows as it has lanes; where there are few, most of them would be for nothing.
  const few = rows <= fewRows || lanes === 0 ? registerTiles(rows) : [];
  return [...few, ...tiles, ...sharedTiles(device, rows, columns4)];
}

const rowsWorthCopying = 64;

/** Whether kernels had better read an operand from a texture, and it fits one. */
function fitsTexture(device: Device, { dtype, sizeBytes }: Operand): boolean {
  return dtype === "f32" && sizeBytes <= texelBytes * device.texels;
}

function byTexture(...textures: readonly string[]) {
  return (tile: Tile): Tile => ({ ...tile, name: `${tile.name}, ${textures.join(" and ")} by texture`, textures });
}

/** Rows, one for every picture of a small batch say, that are made without broadcasts. */
const fewRows = 4;

/** Rows of x are loaded once in a subgroup and broadcast; no workgroup memory. */
function broadcastTiles(lanes: number, rows: number, columns4: number): Tile[] {
  const shapes = [
    { rows: 32, columns: 1 },
    { rows: 16, columns: 1 },
    { rows: 8, columns: 1 },
    { rows: 8, columns: 2 },
  ];
  const fits = shapes.filter(
    (shape) => shape.rows % lanes === 0 && shape.rows < rows + lanes && (shape.columns === 1 || columns4 > lanes),
  );
  // A subgroup wider than all tiles makes one row per lane.
  return (fits.length > 0 ? fits : [{ rows: lanes, columns: 1 }]).map((shape) => ({
    name: `broadcast ${shape.rows}x${4 * shape.columns * lanes}`,
    kernel: "conv/tile",
    constants: { BROADCAST: true, LANES: lanes, ROW_LANES: lanes, GROUPS: shape.rows / lanes, COLUMNS: shape.columns },
    rows: shape.rows,
    columns4: shape.columns * lanes,
  }));
}

/** Every invocation loads what it needs; for adapters without subgroups of a known size. */
function registerTiles(rows: number): Tile[] {
  const most = Math.min(8, rows);
  return [most, ...[4].filter((count) => count < most)].map((groups) => ({
    name: `registers ${groups}x64`,
    kernel: "conv/tile",
    constants: { BROADCAST: false, LANES: 16, ROW_LANES: 1, GROUPS: groups, COLUMNS: 1 },
    rows: groups,
    columns4: 16,
  }));
}

const sharedShapes = [
  { x: 16, y: 16, rows: 8, columns: 2, depth: 4 },
  { x: 8, y: 8, rows: 8, columns: 2, depth: 4 },
  { x: 8, y: 8, rows: 4, columns: 1, depth: 4 },
];

/** Tiles of x and of the weight are brought into workgroup memory: what most GPUs are fastest with. */
function sharedTiles(device: Device, rows: number, columns4: number): Tile[] {
  const { maxComputeWorkgroupStorageSize: memory, maxComputeInvocationsPerWorkgroup: invocations } = device.gpu.limits;
  return sharedShapes
    .map((shape) => ({ ...shape, tileRows: shape.y * shape.rows, tileColumns: shape.x * shape.columns }))
    .filter(({ x, y, depth, tileRows, tileColumns }) => {
      const bytes = 16 * depth * (tileRows + 4 * tileColumns);
      return bytes <= memory && x * y <= invocations && tileRows < 2 * rows + 32 && tileColumns < 2 * columns4 + 8;
    })
    .map(({ x, y, rows: perThread, columns, depth, tileRows, tileColumns }) => ({
      name: `workgroup ${tileRows}x${4 * tileColumns}`,
      kernel: "conv/shared_tile",
      constants: {
        THREADS_X: x,
        THREADS_Y: y,
        ROWS: perThread,
        COLUMNS: columns,
        DEPTH: depth,
        X_LOADS: (tileRows * depth) / (x * y),
        WEIGHT_LOADS: (4 * depth * tileColumns) / (x * y),
      },
      rows: tileRows,
      columns4: tileColumns,
    }));
}

/** The same for the gradient of a weight of `rows4` by `columns4` vec4s, from `x` and `dy`. */
export function weightTiles(
  device: Device,
  rows4: number,
  columns4: number,
  operands: readonly Operand[] = [],
): Tile[] {
  const lanes = device.subgroupSize;
  const shapes = lanes === 0 ? registerWeightShapes : broadcastWeightShapes(lanes, rows4);
  const different = shapes.filter(
    (shape, i) =>
      shape.groups <= rows4 &&
      (shape.columns === 1 || columns4 > shape.lanes) &&
      shapes.findIndex((other) => JSON.stringify(other) === JSON.stringify(shape)) === i,
  );
  const tiles = different.map(({ lanes: wide, rowLanes, groups, columns, positions }) => ({
    name: `${lanes === 0 ? "registers" : "broadcast"} ${4 * rowLanes * groups}x${4 * columns * wide} by ${positions}`,
    kernel: "conv/weight_gradient",
    constants: {
      BROADCAST: lanes > 0,
      LANES: wide,
      ROW_LANES: rowLanes,
      GROUPS: groups,
      COLUMNS: columns,
      POSITIONS: positions,
    },
    rows: rowLanes * groups,
    columns4: columns * wide,
  }));
  const shown = operands.length > 0 && operands.every((operand) => fitsTexture(device, operand));
  return [...(shown ? tiles.map(byTexture("x", "dy")) : []), ...tiles];
}

const registerWeightShapes = [2, 1].map((groups) => ({ lanes: 16, rowLanes: 1, groups, columns: 1, positions: 4 }));

function broadcastWeightShapes(lanes: number, rows4: number) {
  // The fewest rows beyond the weight's: seven lanes for the seven taps of a row of a 7x7 kernel, say.
  const made = (rowLanes: number) => Math.ceil(rows4 / rowLanes) * rowLanes;
  const most = Math.min(lanes, 8);
  const rowLanes = [most, most - 1, most - 2].reduce((a, b) => (b > 0 && made(b) < made(a) ? b : a));
  const shapes = [
    { lanes, rowLanes, groups: 1, columns: 2, positions: 2 },
    { lanes, rowLanes, groups: 1, columns: 2, positions: 1 },
    { lanes, rowLanes, groups: 1, columns: 1, positions: 2 },
    { lanes, rowLanes: Math.min(lanes, 4), groups: 1, columns: 1, positions: 4 },
  ];
  // An invocation of a wide subgroup has registers of its own, not all of a core's.
  return lanes > 8 ? shapes.reverse() : shapes;
}

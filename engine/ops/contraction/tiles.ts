import type { Device } from "../../device/device.ts";
import { isWide } from "../../device/subgroups.ts";
import type { DataType } from "../../elements.ts";
import { texelBytes } from "../../kernel/storage.ts";
import { sharedFits, sharedTile, type Tile } from "./tile.ts";
import { wideTiles, wideWeightTiles } from "./wide-tiles.ts";

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
  if (isWide(device)) return wideTiles(device, rows, columns4);
  const lanes = device.subgroupSize;
  const loop = device.isSoftware;
  const broadcast = lanes > 0 ? broadcastTiles(lanes, rows, columns4, loop) : [];
  // The weight is copied into a texture for every call, which pays where many rows read it.
  const shown =
    weight && rows >= rowsWorthCopying && fitsTexture(device, weight) ? broadcast.map(byTexture("weight")) : [];
  const tiles = [...shown, ...broadcast];
  // A subgroup makes as many rows as it has lanes; where there are few, most of them would be for nothing.
  const few = rows <= fewRows || lanes === 0 ? registerTiles(rows, loop) : [];
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
function broadcastTiles(lanes: number, rows: number, columns4: number, loop: boolean): Tile[] {
  const shapes = [
    { rows: 32, columns: 1 },
    { rows: 16, columns: 1 },
    { rows: 8, columns: 1 },
    { rows: 8, columns: 2 },
  ];
  const fits = shapes.filter(
    (shape) => shape.rows % lanes === 0 && shape.rows < rows + lanes && (shape.columns === 1 || columns4 > lanes),
  );
  return fits.map((shape) => ({
    name: `broadcast ${shape.rows}x${4 * shape.columns * lanes}`,
    kernel: "conv/tile",
    constants: {
      BROADCAST: true,
      LOOP: loop,
      LANES: lanes,
      ROW_LANES: lanes,
      GROUPS: shape.rows / lanes,
      COLUMNS: shape.columns,
    },
    rows: shape.rows,
    columns4: shape.columns * lanes,
  }));
}

/** Every invocation loads what it needs; for adapters without subgroups. */
function registerTiles(rows: number, loop: boolean): Tile[] {
  const most = Math.min(8, rows);
  return [most, ...[4].filter((count) => count < most)].map((groups) => ({
    name: `registers ${groups}x64`,
    kernel: "conv/tile",
    constants: { BROADCAST: false, LOOP: loop, LANES: 16, ROW_LANES: 1, GROUPS: groups, COLUMNS: 1 },
    rows: groups,
    columns4: 16,
  }));
}

const sharedShapes = [
  { x: 16, y: 16, rows: 8, columns: 2, depth: 4 },
  { x: 8, y: 8, rows: 8, columns: 2, depth: 4 },
  { x: 8, y: 8, rows: 4, columns: 1, depth: 4 },
];

/** Tiles of x and of the weight are brought into workgroup memory: what GPUs are fastest with. */
function sharedTiles(device: Device, rows: number, columns4: number): Tile[] {
  return sharedShapes.flatMap((shape) => {
    const tile = sharedTile(shape, false);
    const large = tile.rows >= 2 * rows + 32 || tile.columns4 >= 2 * columns4 + 8;
    return large || !sharedFits(device, shape, tile.rows + 4 * tile.columns4) ? [] : [tile];
  });
}

/** The same for the gradient of a weight of `rows4` by `columns4` vec4s, from `x` and `dy`. */
export function weightTiles(
  device: Device,
  rows4: number,
  columns4: number,
  operands: readonly Operand[] = [],
): Tile[] {
  if (isWide(device)) return wideWeightTiles(device, rows4, columns4);
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
      LOOP: device.isSoftware,
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
  return [
    { lanes, rowLanes, groups: 1, columns: 2, positions: 2 },
    { lanes, rowLanes, groups: 1, columns: 2, positions: 1 },
    { lanes, rowLanes, groups: 1, columns: 1, positions: 2 },
    { lanes, rowLanes: Math.min(lanes, 4), groups: 1, columns: 1, positions: 4 },
  ];
}

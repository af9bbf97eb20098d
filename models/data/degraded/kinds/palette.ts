import type { Tensor } from "../../../../engine/tensor.ts";
import { fromBytes, toBytes } from "./bytes.ts";
import { extents } from "./kernels.ts";

/** Bits of a channel that tell colours apart when the palette is made. */
const bits = 5;
const side = 2 ** bits;

/**
 * The picture in so many colours: a palette of least variance (Wu 1991) and error diffusion (Floyd & Steinberg 1976). On the host:
 * each pixel takes over the errors of those before it.
 */
export async function colorQuantization(x: Tensor, colors: number): Promise<Tensor> {
  const { height, width } = extents(x);
  const bytes = await toBytes(x);
  return fromBytes(x.device, diffused(bytes, width, paletteOf(bytes, colors)), height, width);
}

/** Pixels of like colours: how many, their sums, and where they lie in each channel. */
interface Cell {
  readonly at: readonly [number, number, number];
  count: number;
  readonly sums: [number, number, number];
}

/** Where a box is best cut, and by how much that lessens Σ |colour − mean of its box|². */
interface Cut {
  readonly cells: readonly Cell[];
  readonly gain: number;
  readonly axis: number;
  /** First place above the cut. */
  readonly place: number;
}

/**
 * Mean colours of boxes, 0 to 255: the box whose cut lessens the squared error most is cut in two until there are enough.
 * @returns `colors` of them, fewer of a picture that has not so many
 */
export function paletteOf(bytes: Uint8Array, colors: number): [number, number, number][] {
  const boxes = [bestCut(cellsOf(bytes))];
  while (boxes.length < colors) {
    const widest = boxes.reduce((best, { gain }, i) => (gain > boxes[best]!.gain ? i : best), 0);
    const { cells, gain, axis, place } = boxes[widest]!;
    if (gain <= 0) break;
    const [below, above] = [cells.filter(({ at }) => at[axis]! < place), cells.filter(({ at }) => at[axis]! >= place)];
    boxes.splice(widest, 1, bestCut(below), bestCut(above));
  }
  return boxes.map(({ cells }) => {
    const { count, sums } = totalOf(cells);
    return [sums[0] / count, sums[1] / count, sums[2] / count];
  });
}

function cellsOf(bytes: Uint8Array): Cell[] {
  const cells = new Map<number, Cell>();
  for (let i = 0; i < bytes.length; i += 3) {
    const [r, g, b] = [bytes[i]! >> (8 - bits), bytes[i + 1]! >> (8 - bits), bytes[i + 2]! >> (8 - bits)];
    const key = (r * side + g) * side + b;
    let cell = cells.get(key);
    if (!cell) {
      cell = { at: [r, g, b], count: 0, sums: [0, 0, 0] };
      cells.set(key, cell);
    }
    cell.count++;
    for (let c = 0; c < 3; c++) cell.sums[c]! += bytes[i + c]!;
  }
  return [...cells.values()];
}

type Total = Pick<Cell, "count" | "sums">;

function totalOf(cells: readonly Total[]): Total {
  const total: Total = { count: 0, sums: [0, 0, 0] };
  for (const cell of cells) addTo(total, cell);
  return total;
}

function addTo(total: Total, { count, sums }: Total): void {
  total.count += count;
  for (let c = 0; c < 3; c++) total.sums[c]! += sums[c]!;
}

/** |Σ colour|² / n: what the squared error is less by than Σ |colour|². */
function weight({ count, sums }: Total): number {
  return (sums[0] ** 2 + sums[1] ** 2 + sums[2] ** 2) / count;
}

function bestCut(cells: readonly Cell[]): Cut {
  const all = totalOf(cells);
  let best: Cut = { cells, gain: 0, axis: 0, place: 0 };
  for (let axis = 0; axis < 3; axis++) {
    const slabs = Array.from({ length: side }, (): Total => ({ count: 0, sums: [0, 0, 0] }));
    for (const cell of cells) addTo(slabs[cell.at[axis]!]!, cell);
    const below: Total = { count: 0, sums: [0, 0, 0] };
    for (let place = 1; place < side; place++) {
      addTo(below, slabs[place - 1]!);
      if (below.count === 0) continue;
      if (below.count === all.count) break;
      const sums = all.sums.map((sum, c) => sum - below.sums[c]!) as [number, number, number];
      const gain = weight(below) + weight({ count: all.count - below.count, sums }) - weight(all);
      if (gain > best.gain) best = { cells, gain, axis, place };
    }
  }
  return best;
}

/** Each pixel in the nearest colour to what it and the errors of pixels before it make; rows from left to right. */
export function diffused(bytes: Uint8Array, width: number, palette: readonly (readonly number[])[]): Uint8Array {
  const result = new Uint8Array(bytes.length);
  const row = 3 * width;
  const values = Float64Array.from(bytes);
  const colours = Float64Array.from(palette.flat());
  const rounded = Uint8Array.from(colours, Math.round);
  for (let i = 0; i < bytes.length; i += 3) {
    const colour = nearest(colours, values[i]!, values[i + 1]!, values[i + 2]!);
    const [first, last] = [i % row === 0, i % row === row - 3];
    for (let c = 0; c < 3; c++) {
      // What is stored is what the eye sees: the error is against that.
      result[i + c] = rounded[colour + c]!;
      const error = (values[i + c]! - result[i + c]!) / 16;
      if (!last) values[i + c + 3]! += 7 * error;
      if (i + row >= bytes.length) continue;
      if (!first) values[i + c + row - 3]! += 3 * error;
      values[i + c + row]! += 5 * error;
      if (!last) values[i + c + row + 3]! += error;
    }
  }
  return result;
}

/** Where the nearest colour begins. */
function nearest(colours: Float64Array, r: number, g: number, b: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < colours.length; i += 3) {
    const distance = (colours[i]! - r) ** 2 + (colours[i + 1]! - g) ** 2 + (colours[i + 2]! - b) ** 2;
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

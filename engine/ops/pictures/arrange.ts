import { expectArgument, expectList, object, shown, whole } from "../../arguments.ts";
import { flatWorkgroup } from "../../kernel/grid.ts";
import { ShapeError, Tensor } from "../../tensor.ts";
import { batchShape, overImages } from "../batch.ts";
import { expectOperands, single } from "../operands.ts";
import { antialiased } from "./resample.ts";

/** Part of a picture, in whole pixels. */
export interface Rectangle {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * How a picture becomes a view of `side` x `side` pixels, in the order of the fields. All but the first may be left out.
 */
export interface Arrangement {
  /** Part that is shown. One of another size than the view is resized, bilinearly, with a filter that widens as it shrinks. */
  readonly part: Rectangle;
  /** Mirror it left to right. */
  readonly flip?: boolean;
  /** Pixels that it moves by, less than `side` either way; what comes in is the view mirrored at its border. */
  readonly down?: number;
  readonly right?: number;
  /** Quarters of a turn, anticlockwise: 0 … 3. */
  readonly quarters?: number;
  /**
   * An order of the patches of a grid of 2 x 2, 3 x 3 or 4 x 4: place k, counted by rows, shows patch `patches[k]`. Patches have
   * ⌊side / grid⌋ pixels a side; what that leaves on the right and below stays.
   */
  readonly patches?: readonly number[];
  /** Filled with (125, 123, 114) / 255; it may reach over the border. */
  readonly hole?: Rectangle;
  /** The luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, in all three channels. */
  readonly grey?: boolean;
}

/** The largest side of a picture or a view: places between pixels are counted in 32 bits. */
const countable = whole(1, 16384);

/**
 * Views of pictures, each arranged in its own way, in one pass. x: [N, H, W, 3] f32 in [0, 1] → [N, side, side, 3]. The same bits on
 * every adapter; what is only moved keeps its bits, what is resized or made grey comes in steps of 2^-15. Not differentiable.
 * @param arrangements one for each picture
 * @throws ShapeError for other tensors, and arrangements that do not fit
 */
export function arrange(x: Tensor, arrangements: readonly Arrangement[], side: number): Tensor {
  return arranged(x, arrangements, side, false);
}

/** {@link arrange}, as words [N, side, side] u32 of R + 2^8 G + 2^16 B, each the nearest of 256 levels. */
export function arrangePacked(x: Tensor, arrangements: readonly Arrangement[], side: number): Tensor {
  return arranged(x, arrangements, side, true);
}

function arranged(x: Tensor, arrangements: readonly Arrangement[], extent: number, packed: boolean): Tensor {
  expectOperands("arrange", { x }, { x: single });
  const [images, height, width, channels] = batchShape("arrange", x);
  if (channels !== 3) throw new ShapeError(`arrange takes pictures [N, H, W, 3], found [${x.shape}]`);
  for (const [name, value] of Object.entries({ "the height": height, "the width": width, "the side": extent }))
    expectArgument("arrange", name, value, countable);
  expectList("arrange", "the arrangements", arrangements, object);
  if (arrangements.length !== images)
    throw new ShapeError(`arrange: ${arrangements.length} arrangements for ${images} pictures`);
  arrangements.forEach((each, n) => {
    expectFits(each, n, { height, width, side: extent });
  });

  const { device } = x;
  const maps = new Maps(extent);
  const words = new Int32Array(arrangements.flatMap((each) => viewWords(each, extent, maps)));
  const { spans, weights, taps } = maps.tables();
  using views = Tensor.from(device, words, [images, 16]);
  using spanTable = Tensor.from(device, spans, [spans.length / 2, 2]);
  using weightTable = Tensor.from(device, weights, [weights.length]);
  const y = packed
    ? Tensor.empty(device, [images, extent, extent], "u32")
    : Tensor.empty(device, [images, extent, extent, 3]);
  const tables = { views, spans: spanTable, weights: weightTable };
  overImages({ x, y }, tables, ({ windows, grid, firstImage, images: count }) => {
    const shown = arrangements.slice(firstImage, firstImage + count);
    const read = shown.reduce((sum, { part }) => sum + part.height * part.width * 3, 0);
    device.kernels.run(
      "augment/arrange",
      { PACKED: packed, WORKGROUP: flatWorkgroup },
      windows,
      { in_height: height, in_width: width, side: extent, taps, first_image: firstImage },
      grid(extent, extent),
      { bytes: 4 * (read + count * extent ** 2 * (packed ? 1 : 3)) + views.sizeBytes + weightTable.sizeBytes },
    );
  });
  return y;
}

/** Whether a rectangle is one of whole pixels; it may be empty. */
export function inPixels({ top, left, height, width }: Rectangle): boolean {
  return [top, left, height, width].every(Number.isSafeInteger) && height >= 0 && width >= 0;
}

function expectFits(
  { part, down = 0, right = 0, quarters = 0, patches = [0], hole }: Arrangement,
  n: number,
  picture: { readonly height: number; readonly width: number; readonly side: number },
): void {
  const fail = (what: string) => {
    throw new ShapeError(`arrange: picture ${n}: ${what}`);
  };
  const { top, left, height, width } = part;
  const inside = top >= 0 && left >= 0 && top + height <= picture.height && left + width <= picture.width;
  if (!inPixels(part) || !inside || height < 1 || width < 1)
    fail(`the part ${shown(part)} is not inside ${picture.height}x${picture.width}`);
  if (hole && !inPixels(hole)) fail(`the hole ${shown(hole)} is not in whole pixels of size ≥ 0`);
  for (const shift of [down, right])
    if (!Number.isInteger(shift) || Math.abs(shift) >= picture.side)
      fail(`a shift by ${shown(shift)} is not in whole pixels below the side, ${picture.side}`);
  if (![0, 1, 2, 3].includes(quarters)) fail(`${shown(quarters)} quarters of a turn; there are 0, 1, 2 and 3`);
  const isOrder = patches.toSorted((a, b) => a - b).every((patch, k) => patch === k);
  if (![1, 4, 9, 16].includes(patches.length) || !isOrder)
    fail(`${shown(patches)} is no order of the patches of a grid of 2 x 2, 3 x 3 or 4 x 4`);
}

/** Four words of four as the kernel reads them. */
function viewWords(
  { part, flip, down = 0, right = 0, quarters = 0, patches = [0], hole, grey }: Arrangement,
  side: number,
  maps: Maps,
): number[] {
  const order = [0, 0];
  patches.forEach((patch, k) => {
    order[k >> 3]! |= patch << (4 * (k & 7));
  });
  const within = (at: number) => Math.min(Math.max(at, 0), side);
  const { top = 0, left = 0, height = 0, width = 0 } = hole ?? {};
  return [
    ...[part.top, part.left, maps.index(part.height), maps.index(part.width)],
    ...[down, right, quarters + (flip ? 4 : 0) + (grey ? 8 : 0), Math.sqrt(patches.length)],
    ...[within(top), within(left), within(top + height), within(left + width)],
    ...[...order, 0, 0],
  ];
}

const unit = 2 ** 15;

/** The resampling maps from different extents to one, each once. */
class Maps {
  readonly #outputs: number;
  readonly #places = new Map<number, number>();

  constructor(outputs: number) {
    this.#outputs = outputs;
  }

  index(inputs: number): number {
    const place = this.#places.get(inputs) ?? this.#places.size;
    this.#places.set(inputs, place);
    return place;
  }

  /** Rows of all maps. Weights are whole shares of 2^15 that sum to it exactly, by rounding their running sums. */
  tables() {
    const rows = [...this.#places.keys()].flatMap((inputs) => {
      const { first, weights } = antialiased(inputs, this.#outputs);
      return weights.map((row, i) => trimmed(first[i]!, row));
    });
    const taps = Math.max(...rows.map(({ weights }) => weights.length));
    const spans = new Uint32Array(2 * rows.length);
    const weights = new Uint32Array(taps * rows.length);
    rows.forEach((row, at) => {
      spans.set([row.first, row.weights.length], 2 * at);
      weights.set(row.weights, taps * at);
    });
    return { spans, weights, taps };
  }
}

/** A row in shares of 2^15, without those of 0 at its ends. */
function trimmed(first: number, row: readonly number[]): { first: number; weights: number[] } {
  let sum = 0;
  let before = 0;
  const shares = row.map((weight, t) => {
    sum += weight;
    const upTo = t === row.length - 1 ? unit : Math.round(sum * unit);
    const share = upTo - before;
    before = upTo;
    return share;
  });
  const start = shares.findIndex((share) => share > 0);
  const end = shares.findLastIndex((share) => share > 0) + 1;
  return { first: first + start, weights: shares.slice(start, end) };
}

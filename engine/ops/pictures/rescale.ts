import { expectArgument, oneOf, shown } from "../../arguments.ts";
import { flatWorkgroup } from "../../kernel/grid.ts";
import { ShapeError, Tensor } from "../../tensor.ts";
import { overImages } from "../batch.ts";
import { inPixels, type Rectangle } from "./arrange.ts";
import { keys } from "./bicubic.ts";

/** A weight for a distance in inputs, 0 from `support` on. */
interface Window {
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Pillow's filters. A part is at most as large as the picture, so that none of them has to widen. */
const windows = {
  nearest: undefined,
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0) },
  bicubic: { support: 2, weight: (x) => keys(x, -0.5) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const satisfies Record<string, Window | undefined>;

export type RescaleFilter = keyof typeof windows;

export const rescaleFilters = Object.keys(windows) as RescaleFilter[];

/** A part of a picture, shown in the picture's whole size. */
export interface Rescaling {
  readonly name: "rescale";
  readonly part: Rectangle;
  readonly filter: RescaleFilter;
}

const filterName = oneOf(...rescaleFilters);

/** @throws ShapeError when the part is not inside the picture, RangeError for another filter */
export function expectRescaling(of: string, { part, filter }: Rescaling, height: number, width: number): void {
  expectArgument(of, "the filter", filter, filterName);
  const inside = inPixels(part) && part.top >= 0 && part.left >= 0 && part.height >= 1 && part.width >= 1;
  if (!inside || part.top + part.height > height || part.left + part.width > width)
    throw new ShapeError(`${of}: the part ${shown(part)} is not inside ${height}x${width}`);
}

const unit = 2 ** 22;

/** Where an output looks, with weights in steps of 2^-22, each rounded as Pillow does. */
interface Row {
  readonly first: number;
  readonly weights: readonly number[];
}

/** A map of an axis from so many inputs to so many outputs. */
function mapRows(inputs: number, outputs: number, filter: RescaleFilter): Row[] {
  const scale = inputs / outputs;
  const window: Window | undefined = windows[filter];
  if (inputs === outputs || !window) {
    // Places are added up as Pillow does, whose sums may stay just below a whole one.
    let place = scale * 0.5;
    return Array.from({ length: outputs }, () => {
      const first = Math.floor(place);
      place += scale;
      return { first, weights: [unit] };
    });
  }
  const { support, weight } = window;
  return Array.from({ length: outputs }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(inputs, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: end - first }, (_, t) => weight(first + t - centre + 0.5));
    const total = weights.reduce((sum, value) => sum + value, 0);
    const rounded = (value: number) => Math.sign(value) * Math.floor(0.5 + Math.abs(value / total) * unit);
    return { first, weights: weights.map(rounded) };
  });
}

/**
 * Writes what is rescaled of x into y, both packed pictures [N, H, W].
 * @param rescalings one for each picture, or nothing where y keeps what it has
 */
export function rescaleInto(y: Tensor, x: Tensor, rescalings: readonly (Rescaling | undefined)[]): void {
  const { device } = x;
  const [images, height, width] = x.shape as readonly [number, number, number];
  const rows: Row[] = [];
  const places = new Map<string, number>();
  const placeOf = (inputs: number, outputs: number, filter: RescaleFilter) => {
    const key = `${inputs} ${outputs} ${filter}`;
    const place = places.get(key) ?? rows.length;
    if (!places.has(key)) rows.push(...mapRows(inputs, outputs, filter));
    places.set(key, place);
    return place;
  };
  const words = rescalings.flatMap((each) => {
    if (!each) return [0, 0, 2 ** 32 - 1, 0];
    const { part, filter } = each;
    return [part.top, part.left, placeOf(part.height, height, filter), placeOf(part.width, width, filter)];
  });
  const taps = Math.max(...rows.map(({ weights }) => weights.length));
  const spans = new Uint32Array(2 * rows.length);
  const weights = new Int32Array(taps * rows.length);
  rows.forEach((row, at) => {
    spans.set([row.first, row.weights.length], 2 * at);
    weights.set(row.weights, taps * at);
  });
  using parts = Tensor.from(device, Uint32Array.from(words), [images, 4]);
  using spanTable = Tensor.from(device, spans, [rows.length, 2]);
  using weightTable = Tensor.from(device, weights, [rows.length, taps]);
  const tables = { parts, spans: spanTable, weights: weightTable };
  overImages({ x, y }, tables, ({ windows, grid, firstImage }) => {
    device.kernels.run(
      "augment/rescale",
      { WORKGROUP: flatWorkgroup },
      windows,
      { height, width, taps, first_image: firstImage },
      grid(width, height),
    );
  });
}

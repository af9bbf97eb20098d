import { any, type Checks, expectOptions, extent } from "../../engine/arguments.ts";
import type { Picture } from "../data/pictures/decode.ts";
import type { MosRange } from "../data/range.ts";
import type { Head } from "../networks/heads.ts";
import { cutCrops, type Grid, gridPlaces, type View } from "../views/crops.ts";
import { type DrawOptions, mapOver } from "./explain-drawing.ts";

/** Local quality of a picture on a grid of tiles. */
export interface QualityMap {
  readonly rows: number;
  readonly columns: number;
  /** Scores of the tiles by rows, from the upper left; higher is better. */
  readonly scores: readonly (readonly number[])[];
  /** Side of a tile, pixels of the upright picture; more than the picture's shorter side when that was enlarged to one. */
  readonly tile: number;
  /** Ends of the scale of `scores`. */
  readonly range: MosRange;
  /** Pixels of the upright picture. */
  readonly width: number;
  readonly height: number;
  /** The map drawn over the picture as a PNG file. */
  draw(options?: DrawOptions): Promise<Buffer>;
}

const checks: Checks<DrawOptions> = { longerSide: extent, opacity: any, between: any };

/** Half overlapping tiles, or fewer, at most `most`. */
function gridOf(width: number, height: number, crop: number, most: number): Grid {
  const along = (length: number) => Math.max(1, Math.ceil((2 * (length - crop)) / crop) + 1);
  if (Math.min(width, height) < crop) return { rows: 1, columns: 1 };
  let [rows, columns] = [along(height), along(width)];
  while (rows * columns > most) {
    if (columns * height >= rows * width && columns > 1) columns--;
    else if (rows > 1) rows--;
    else columns--;
  }
  return { rows, columns };
}

/** Tiles of the network's input size at original resolution, by rows; the outer ones touch the picture's edges. */
export function tilesOf(picture: Picture, crop: number, most: number): View[] {
  const grid = gridOf(picture.width, picture.height, crop, most);
  return cutCrops(picture, crop, (size) => gridPlaces(size, crop, grid));
}

/** The map of a picture to whose {@link tilesOf} a network with such a head gave these answers. */
export function explanationOf(
  picture: Picture,
  answers: readonly Float32Array[],
  {
    crop,
    most,
    range,
    head,
  }: { readonly crop: number; readonly most: number; readonly range: MosRange; readonly head: Head },
): QualityMap {
  const { width, height } = picture;
  const { rows, columns } = gridOf(width, height, crop, most);
  const all = answers.map((answer) => head.score(answer, range).score);
  const scores = Array.from({ length: rows }, (_, row) => all.slice(row * columns, (row + 1) * columns));
  const draw = async (options: DrawOptions = {}) => {
    expectOptions("draw", options, checks);
    const { between } = options;
    const all = scores.flat();
    const [low, high] = between ?? [Math.min(...all), Math.max(...all)];
    const cells = all.flatMap((score) => colourAt(high > low ? (score - low) / (high - low) : 0.5));
    return mapOver(picture, { columns, rows, cells: Uint8Array.from(cells) }, options);
  };
  return { rows, columns, scores, tile: crop, range, width, height, draw };
}

/** Cividis at five places, from low to high: even steps of brightness, told apart by people who are colour-blind. */
const colours = [
  [0, 34, 78],
  [66, 78, 108],
  [124, 123, 120],
  [187, 173, 108],
  [254, 232, 56],
] as const;

function colourAt(share: number): number[] {
  const place = Math.min(1, Math.max(0, share)) * (colours.length - 1);
  const below = Math.min(colours.length - 2, Math.floor(place));
  return [0, 1, 2].map((channel) => {
    const [low, high] = [colours[below]![channel]!, colours[below + 1]![channel]!];
    return Math.round(low + (place - below) * (high - low));
  });
}

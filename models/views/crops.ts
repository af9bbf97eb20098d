import type { Device } from "../../engine/device/device.ts";
import { centerCrop, unpackRgb } from "../../engine/ops/pictures/image.ts";
import { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Picture } from "../data/pictures/decode.ts";
import { stretched } from "../data/pictures/resample.ts";
import { upload } from "../data/upload.ts";
import type { ModelOptions } from "../networks/options.ts";

/** What the network is shown of a picture, on the host: no more of it is kept than is shown. */
export interface View {
  readonly picture: Picture;
  /** Side of the square that the picture is resized to, and whose centre is shown; without it, the picture as it is. */
  readonly side?: number;
}

/** Where a part starts, pixels from the upper left. */
export interface Corner {
  readonly top: number;
  readonly left: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Rows and columns of tiles. */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/** How a picture is shown in evaluation. */
export type Showing = Pick<ModelOptions, "resize" | "crop" | "cropFrom" | "testCrops" | "testTiles" | "seed">;

/** Whether evaluation shows one view of a picture: its centre, resized or at original size. */
export function showsCentre({ testCrops, testTiles }: Showing): boolean {
  return testCrops === 1 && testTiles === 0;
}

/**
 * The views of a picture that its score is the mean of: the centre; with `testCrops` above 1 so many parts at original size, at
 * places drawn from the seed alone; with `testTiles` a grid of tiles that covers it.
 */
export async function evaluationViews(options: Showing, picture: Picture): Promise<View[]> {
  const { resize, crop, cropFrom, testCrops, testTiles, seed } = options;
  if (testTiles > 0) return coveringTiles(picture, crop, testTiles);
  if (testCrops === 1)
    return cropFrom === "resized" ? [{ picture, side: resize }] : cutCrops(picture, crop, centre(crop));
  const random = new Random(seed, "test crops");
  return cutCrops(picture, crop, ({ height, width }) =>
    Array.from({ length: testCrops }, () => ({
      top: random.integer(height - crop + 1),
      left: random.integer(width - crop + 1),
    })),
  );
}

const centre = (crop: number) => (size: Size) => [placeAt(size, crop, { top: 0.5, left: 0.5 })];

/** The place whose top and left are these shares, 0 to 1, of what a part leaves of the height and width. */
export function placeAt({ width, height }: Size, crop: number, share: Corner): Corner {
  const along = (spare: number, part: number) => Math.min(spare, Math.floor(part * (spare + 1)));
  return { top: along(height - crop, share.top), left: along(width - crop, share.left) };
}

/**
 * Parts of crop x crop pixels at original size. A picture that is smaller in either direction has one, itself resized to it.
 * @param places of the parts, for the size of the picture
 */
export function cutCrops(picture: Picture, crop: number, places: (size: Size) => readonly Corner[]): View[] {
  if (Math.min(picture.width, picture.height) < crop) return [{ picture, side: crop }];
  return places(picture).map((place) => ({ picture: cut(picture, { width: crop, height: crop }, place) }));
}

/** A part of a picture at its own size, at a share of what the part leaves of height and width. */
export function cutPart(picture: Picture, { height, width }: Size, { top, left }: Corner): Picture {
  const along = (spare: number, share: number) => Math.min(spare, Math.floor(share * (spare + 1)));
  return cut(
    picture,
    { height, width },
    { top: along(picture.height - height, top), left: along(picture.width - width, left) },
  );
}

function cut(picture: Picture, { height, width }: Size, { top, left }: Corner): Picture {
  const pixels = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * picture.width + left) * 3;
    pixels.set(picture.pixels.subarray(from, from + width * 3), row * width * 3);
  }
  return { width, height, pixels };
}

/** Places of tiles by rows, spread evenly from edge to edge; a single one lies in the middle. */
export function gridPlaces({ width, height }: Size, crop: number, { rows, columns }: Grid): Corner[] {
  const start = (i: number, count: number, spare: number) =>
    count === 1 ? Math.floor(spare / 2) : Math.round((i * spare) / (count - 1));
  return Array.from({ length: rows * columns }, (_, i) => ({
    top: start(Math.floor(i / columns), rows, height - crop),
    left: start(i % columns, columns, width - crop),
  }));
}

/**
 * Tiles of crop x crop pixels that overlap as little as covering the whole picture takes. A picture that takes more than `most`
 * is first reduced, by no more than it must be, its sides by the same share unless one would be shorter than a tile.
 * @param most at least 1
 */
export async function coveringTiles(picture: Picture, crop: number, most: number): Promise<View[]> {
  const covered = coveredSize(picture, crop, most);
  const { width, height } = covered;
  if (Math.min(picture.width, picture.height) < crop) return [{ picture, side: crop }];
  const whole =
    width === picture.width && height === picture.height ? picture : await stretched(picture, { width, height });
  return cutCrops(whole, crop, (size) => gridPlaces(size, crop, covered));
}

/** The size at which a picture is covered by at most so many tiles, the largest up to its own, and their grid. */
export function coveredSize({ width, height }: Size, crop: number, most: number): Size & Grid {
  const along = (length: number) => Math.max(1, Math.ceil(length / crop));
  if (along(width) * along(height) <= most) return { width, height, rows: along(height), columns: along(width) };
  let share = 0;
  for (let columns = 1; columns <= most; columns++) {
    const rows = Math.floor(most / columns);
    share = Math.max(share, Math.min((columns * crop) / width, (rows * crop) / height));
  }
  const reducedLength = (length: number) => Math.min(length, Math.max(crop, Math.floor(share * length + 1e-9)));
  const size = { width: reducedLength(width), height: reducedLength(height) };
  return { ...size, rows: along(size.height), columns: along(size.width) };
}

/** A view on the device, [1, crop, crop, 3] in [0, 1], in no scope. */
export function uploadView(device: Device, { picture, side }: View, crop: number): Tensor {
  const made = () => {
    if (side === undefined) return unpackRgb(device, picture.pixels, picture.height, picture.width);
    if (side === crop) return upload(device, picture, side);
    using resized = upload(device, picture, side);
    return centerCrop(resized, crop, crop);
  };
  return device.labels.within({ phase: "input" }, () => device.owned("pictures", () => device.scope(made))).keep();
}

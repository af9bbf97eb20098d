import sharp from "sharp";
import type { Picture } from "../data/pictures/decode.ts";
import type { MosRange } from "../data/range.ts";

export interface DrawOptions {
  /** The drawing is made smaller until its longer side has at most so many pixels. @default 1024 */
  readonly longerSide?: number;
  /** How much the colours cover the picture, 0..1. @default 0.55 */
  readonly opacity?: number;
  /** Scores of the lowest and the highest colour. @default the least and the greatest of the map */
  readonly between?: MosRange;
}

/** One colour for each tile, R, G, B by rows. */
export interface Cells {
  readonly columns: number;
  readonly rows: number;
  readonly cells: Uint8Array<ArrayBuffer>;
}

/** Colours drawn over a picture, smooth from tile to tile, as a PNG file. */
export async function mapOver(
  picture: Picture,
  { columns, rows, cells }: Cells,
  { longerSide = 1024, opacity = 0.55 }: DrawOptions,
): Promise<Buffer> {
  const shrink = Math.min(1, longerSide / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * shrink)));
  const map = await sharp(cells, { raw: { width: columns, height: rows, channels: 3 } })
    .resize(width, height, { fit: "fill", kernel: "linear" })
    .ensureAlpha(Math.min(1, Math.max(0, opacity)))
    .png()
    .toBuffer();
  return sharp(picture.pixels, { raw: { width: picture.width, height: picture.height, channels: 3 } })
    .resize(width, height, { fit: "fill" })
    .composite([{ input: map }])
    .png()
    .toBuffer();
}

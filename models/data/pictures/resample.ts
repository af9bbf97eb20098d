import sharp from "sharp";
import type { Picture } from "./decode.ts";

/** The picture with its longer side reduced to so many pixels where it has more; 0 keeps its size. */
export function reduced(picture: Picture, longerSide: number): Promise<Picture> | Picture {
  const { width, height, pixels } = picture;
  if (longerSide === 0 || Math.max(width, height) <= longerSide) return picture;
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ width: longerSide, height: longerSide, fit: "inside" })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .then(({ data, info }) => ({ width: info.width, height: info.height, pixels: data }));
}

/** The picture at another size, by the mean of what lies under a pixel where that is smaller, and linearly between pixels. */
export async function stretched(
  { width, height, pixels }: Picture,
  size: { readonly width: number; readonly height: number },
): Promise<Picture> {
  const data = await sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize({ ...size, fit: "fill", kernel: "linear" })
    .raw()
    .toBuffer();
  return { width: size.width, height: size.height, pixels: data };
}

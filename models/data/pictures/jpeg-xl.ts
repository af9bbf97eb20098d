import sharp from "sharp";

/** Whether the decoder reads JPEG XL, as one of a system's own libvips may. */
export function readsJpegXl(): boolean {
  return sharp.format.jxl?.input?.buffer === true;
}

import type { CropWindow } from "../../engine/ops/image.ts";
import type { CplOptions } from "./options.ts";

/**
 * The windows of resized pictures that rows are computed of: the centre, its mirror image (with the option `flip`), then
 * corners and their mirror images, then others.
 */
export function viewWindows({ resize, crop, flip, views }: CplOptions): (CropWindow & { readonly flip: boolean })[] {
  const most = resize - crop;
  const centre = Math.floor(most / 2);
  const places = [
    [centre, centre],
    [0, 0],
    [most, most],
    [0, most],
    [most, 0],
  ] as const;
  const windows = places.flatMap(([top, left]) =>
    (flip ? [false, true] : [false]).map((flipped) => ({ top, left, flip: flipped })),
  );
  const different = new Map(windows.map((window) => [windowName(window), window]));
  return [...different.values()].slice(0, views);
}

/** Names a window among those of pictures of one size. */
export function windowName({ top, left, flip }: CropWindow): string {
  return `${top}-${left}${flip ? "-mirrored" : ""}`;
}

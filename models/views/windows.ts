import type { CropWindow } from "../../engine/ops/pictures/image.ts";
import type { ModelOptions } from "../networks/options.ts";

/**
 * The windows of pictures that rows are computed of: the centre, its mirror image (with the option `flip`), then corners and
 * their mirror images. In pixels of the resized picture or, with `cropFrom` original, in shares of what a crop leaves.
 */
export function viewWindows(options: ModelOptions): (CropWindow & { readonly flip: boolean })[] {
  const { resize, crop, cropFrom, flip, views } = options;
  const isResized = cropFrom === "resized";
  const most = isResized ? resize - crop : 1;
  const centre = isResized ? Math.floor(most / 2) : 0.5;
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

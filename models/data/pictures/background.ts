import sharp from "sharp";
import { shown } from "../../../engine/arguments.ts";

/** @throws RangeError when it is none: what a picture throws is the picture's own */
export function expectColour(background: string): void {
  const pixel = sharp({ create: { width: 1, height: 1, channels: 3, background: "white" } });
  try {
    pixel.flatten({ background });
  } catch (cause) {
    const text = `background must be a colour such as "white" or "#ffffff", got ${shown(background)}`;
    throw new RangeError(text, { cause });
  }
}

import { shown } from "../../../engine/arguments.ts";
import type * as system from "./background.ts";

export const expectColour: typeof system.expectColour = (background) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d")!;
  // What is no colour leaves the style as it was, whichever that is.
  const after = ["#000000", "#ffffff"].map((before) => {
    context.fillStyle = before;
    context.fillStyle = background;
    return context.fillStyle;
  });
  if (after[0] === after[1]) return;
  throw new RangeError(`background must be a colour such as "white" or "#ffffff", got ${shown(background)}`);
};

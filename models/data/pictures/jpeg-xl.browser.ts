import type * as system from "./jpeg-xl.ts";

/** It is asked after the browser has refused a picture. */
export const readsJpegXl: typeof system.readsJpegXl = () => false;

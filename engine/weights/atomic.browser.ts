import type * as system from "./atomic.ts";
import { FileError } from "./files.ts";

export const writeFileAtomically: typeof system.writeFileAtomically = async (path) => {
  throw new FileError(
    `${path} cannot be written: a page has no files; encodeSafetensors gives the bytes for a download`,
  );
};

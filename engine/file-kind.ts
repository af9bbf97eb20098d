import { stat } from "./host/files.ts";

/**
 * What a path leads to where that is no file, as "a folder": reading it may never end, and opening it may wait for ever. Undefined
 * for a file, and for what cannot be looked at.
 */
export async function insteadOfFile(path: string | Buffer): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found || found.isFile()) return undefined;
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a pipe";
  return found.isSocket() ? "a socket" : "a device";
}

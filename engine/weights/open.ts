import { openPytorch } from "./pytorch.ts";
import { openSafetensors } from "./safetensors.ts";
import { openToRead, readExactly, WeightsError, type WeightsFile } from "./stored.ts";

/**
 * Opens a weights file, safetensors or a PyTorch archive, whichever its first bytes say; its name does not matter. Close
 * it, or declare it with `await using`.
 * @throws WeightsError when it is neither, damaged, or refused (see `openSafetensors`, `openPytorch`); FileError
 * when it cannot be opened
 */
export async function openWeights(path: string): Promise<WeightsFile> {
  const start = await firstBytes(path, 9);
  // A safetensors header is JSON after its length in 8 bytes, of which the first may have any value.
  if (start[8] === 0x7b) return await openSafetensors(path);
  if (start[0] === 0x80 || (start[0] === 0x50 && start[1] === 0x4b)) return await openPytorch(path);
  const found =
    start.length === 0
      ? "it is empty"
      : `it begins with the bytes ${[...start].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  throw new WeightsError(`${path} is neither a safetensors file nor a PyTorch archive: ${found}`);
}

async function firstBytes(path: string, length: number): Promise<Uint8Array> {
  await using file = await openToRead(path);
  const { size } = await file.stat();
  return await readExactly(file, 0, Math.min(length, size), path);
}

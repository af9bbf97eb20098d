import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { OpenJpeg } from "@cornerstonejs/codec-openjpeg/wasmjs";

const name = "@cornerstonejs/codec-openjpeg";
let opened: Promise<OpenJpeg> | undefined;

/** OpenJPEG in WebAssembly, loaded when it is first needed. */
function openJpeg(): Promise<OpenJpeg> {
  opened ??= (async () => {
    const { default: create } = await import("@cornerstonejs/codec-openjpeg/wasmjs");
    const wasmBinary = await readFile(createRequire(import.meta.url).resolve(`${name}/wasm`));
    const quiet = () => {};
    return create({ wasmBinary, print: quiet, printErr: quiet });
  })();
  return opened;
}

/**
 * Encodes a picture of interleaved RGB with JPEG 2000 at a ratio (the irreversible 9/7 transform, one layer) and decodes it.
 * @returns pixels, and how many bytes the code stream has: never more than the ratio allows, but for its headers
 */
export async function jpeg2000Bytes(
  rgb: Uint8Array,
  width: number,
  height: number,
  ratio: number,
): Promise<{ pixels: Uint8Array; bytes: number }> {
  const codec = await openJpeg();
  const encoder = new codec.J2KEncoder();
  const decoder = new codec.J2KDecoder();
  try {
    const frame = { width, height, bitsPerSample: 8, componentCount: 3, isSigned: false, isUsingColorTransform: true };
    encoder.getDecodedBuffer(frame).set(rgb);
    encoder.setQuality(false, 1);
    // Halvings of a side: five as usual, fewer where there are not so many pixels.
    encoder.setDecompositions(Math.min(5, Math.floor(Math.log2(Math.min(width, height)))));
    encoder.setCompressionRatio(0, ratio);
    encoder.encode();
    const file = encoder.getEncodedBuffer();
    decoder.getEncodedBuffer(file.length).set(file);
    decoder.decode();
    // The memory is the codec's own.
    return { pixels: Uint8Array.from(decoder.getDecodedBuffer()), bytes: file.length };
  } finally {
    encoder.delete();
    decoder.delete();
  }
}

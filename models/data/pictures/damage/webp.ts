import { type Finding, Missing } from "./finding.ts";

/** Chunks that hold pixels, or say how they are shown. */
const kept = new Set(["VP8X", "ICCP", "ANIM", "ANMF", "ALPH", "VP8 ", "VP8L"]);
const pixels = new Set(["ANMF", "VP8 ", "VP8L"]);

/**
 * Whether the data of a WebP picture, or of the first frame of an animation, is there. What is in it only a decoder can tell.
 * Source: RFC 9649, section 2.
 */
export function lookAtWebp(file: Uint8Array): Finding {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const parts: Buffer[] = [];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const type = bytes.toString("latin1", at, at + 4);
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    if (end > bytes.length && kept.has(type)) {
      const lack = end - bytes.length;
      throw new Missing("truncated", `The last ${lack} bytes of the WebP's ${type.trim()} part are missing.`);
    }
    const padded = end + (end & 1);
    if (kept.has(type)) parts.push(bytes.subarray(at, end), Buffer.alloc(padded - end));
    // Of an animation the first frame is shown.
    if (pixels.has(type)) {
      expectBorder(bytes, padded, type);
      if (type === "ANMF") expectFrame(bytes.subarray(at + 24, end));
      return { whole: true, bytes: riff(Buffer.concat(parts)) };
    }
    at = padded;
  }
  throw new Missing("truncated", "The WebP ends before its pixels begin.");
}

/** @throws Missing when neither the picture nor the file ends at `at`, and nothing begins there: bytes before it were lost */
function expectBorder(bytes: Buffer, at: number, type: string): void {
  const end = 8 + bytes.readUInt32LE(4);
  if (at >= bytes.length || at === end || at - 1 === end) return;
  if (/^[A-Z][A-Z0-9]{2}[A-Z0-9 ]$|^XMP $/.test(bytes.toString("latin1", at, at + 4))) return;
  throw new Missing(
    "damaged",
    `The WebP's ${type.trim()} part does not end where it says: bytes within it are missing.`,
  );
}

/** @throws Missing when a part of a frame reaches beyond it */
function expectFrame(frame: Buffer): void {
  for (let at = 0; at + 8 <= frame.length; ) {
    const type = frame.toString("latin1", at, at + 4);
    const end = at + 8 + frame.readUInt32LE(at + 4);
    if (end > frame.length) throw new Missing("damaged", "The WebP's first frame is shorter than its data.");
    if (pixels.has(type)) return;
    at = end + (end & 1);
  }
  throw new Missing("damaged", "The WebP's first frame has no data.");
}

function riff(parts: Buffer): Buffer {
  const header = Buffer.from("RIFF\0\0\0\0WEBP", "latin1");
  header.writeUInt32LE(parts.length + 4, 4);
  return Buffer.concat([header, parts]);
}

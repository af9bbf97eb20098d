import { promisify } from "node:util";
import { constants, inflate } from "node:zlib";
import { BeyondEndError, TiffDirectory } from "../headers/tiff-directory.ts";
import { type Finding, Missing, percent } from "./finding.ts";
import { lookAtJpeg } from "./scans.ts";

/** Compressions by their number. */
const compressions: Readonly<Record<number, string>> = {
  1: "no compression",
  2: "CCITT run lengths",
  3: "CCITT Group 3 fax",
  4: "CCITT Group 4 fax",
  5: "LZW",
  6: "old-style JPEG",
  7: "JPEG",
  8: "Deflate",
  9: "JBIG",
  10: "JBIG",
  32766: "NeXT",
  32771: "CCITT run lengths",
  32773: "PackBits",
  32809: "ThunderScan",
  32946: "Deflate",
  34661: "JBIG",
  34676: "SGI LogL",
  34677: "SGI LogLuv",
  34712: "JPEG 2000",
  34887: "LERC",
  34892: "lossy JPEG of DNG",
  34925: "LZMA",
  50000: "Zstandard (ZSTD)",
  50001: "WebP",
  50002: "JPEG XL",
  52546: "JPEG XL of DNG",
};
/** Those that the decoder knows. */
const known = new Set([1, 2, 3, 4, 5, 7, 8, 32771, 32773, 32809, 32946, 34676, 34677]);
/** Those whose data is looked into here, or about which the decoder says "error" when it is broken. */
const read = new Set([1, 5, 7, 8, 32773, 32946]);
const deflate = new Set([8, 32946]);
const inflated = promisify(inflate);
/** Tags that say how pixels are stored and shown. What else there is, a picture can do without. */
const kept = new Set([
  ...[256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 301, 317, 318, 319, 320, 321, 322, 323],
  ...[324, 325, 332, 333, 334, 336, 338, 339, 340, 341, 347, 529, 530, 531, 532, 34675],
]);

/** The file with a directory of no more than the tags that are kept, and no other directory. */
function cleaned(tags: TiffDirectory): Uint8Array {
  const orientation = tags.number(274, 1);
  return tags.only((tag) => kept.has(tag) && (tag !== 274 || (orientation >= 1 && orientation <= 8)));
}

/** Why a TIFF's first picture cannot be decoded here, whatever becomes of its bytes; undefined when it can. */
export function unsupportedTiff(bytes: Uint8Array): string | undefined {
  try {
    const tags = new TiffDirectory(bytes);
    const compression = tags.number(259, 1);
    if (known.has(compression)) return undefined;
    const name = compressions[compression];
    return name
      ? `It is a TIFF with ${name} compression.`
      : `It is a TIFF with the unknown compression ${compression}.`;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Whether the strips or tiles of a TIFF's first picture are in the file, and as long as its rows where their compression allows to tell.
 * Source: Adobe, "TIFF Revision 6.0"; BigTIFF as of libtiff.
 */
export async function lookAtTiff(bytes: Uint8Array): Promise<Finding> {
  const refusal = unsupportedTiff(bytes);
  if (refusal) throw new Missing("unsupported", refusal);
  try {
    return await lookAtPieces(bytes, new TiffDirectory(bytes));
  } catch (error) {
    if (error instanceof BeyondEndError) throw new Missing("truncated", error.message);
    throw error;
  }
}

async function lookAtPieces(bytes: Uint8Array, tags: TiffDirectory): Promise<Finding> {
  const [width, height] = [tags.number(256, 0), tags.number(257, 0)];
  if (!(width > 0 && height > 0)) throw new Missing("not-a-picture", `The TIFF has ${width} x ${height} pixels.`);
  const tiled = tags.has(324);
  const offsets = tags.numbers(tiled ? 324 : 273);
  const counts = tags.numbers(tiled ? 325 : 279);
  const separate = tags.number(284, 1) === 2;
  const channels = tags.number(277, 1);
  const bits = tags.number(258, 1);
  const across = tiled ? tags.number(322, width) : width;
  const down = tiled ? tags.number(323, height) : Math.min(tags.number(278, height), height);
  const pieces = Math.ceil(width / across) * Math.ceil(height / down) * (separate ? channels : 1);
  const what = tiled ? "tiles" : "strips";
  if (offsets.length < pieces)
    throw new Missing("damaged", `The TIFF has ${offsets.length} of the ${pieces} ${what} of its pixels.`);
  const compression = tags.number(259, 1);
  // Rows of subsampled colours are shorter.
  const subsampled = tags.number(262, 1) === 6;
  const rowBytes = Math.ceil((across * bits * (separate ? 1 : channels)) / 8);
  for (let i = 0; i < pieces; i++) {
    const rows = tiled ? down : Math.min(down, height - (i % Math.ceil(height / down)) * down);
    const needed = subsampled ? 0 : rowBytes * rows;
    const length = counts[i] ?? (compression === 1 ? needed : 0);
    const have = bytes.length - offsets[i]!;
    if (have < length) {
      // Some writers count more bytes than there are of what is whole.
      if (compression === 1 && needed > 0 && have >= needed) continue;
      throw new Missing("truncated", `The TIFF ends within ${what.slice(0, -1)} ${i + 1} of ${pieces} of its pixels.`);
    }
    const piece = bytes.subarray(offsets[i]!, offsets[i]! + length);
    if (compression === 7) await lookAtJpegPiece(piece, tags.bytes(347));
    const got = await unpackedLength(piece, compression, needed);
    // A strip may go on behind the last row; that of a tile is as long as the others.
    if (compression === 32773 && got > needed && got !== rowBytes * down)
      throw new Missing("damaged", `There is more than ${what.slice(0, -1)} ${i + 1} of the TIFF's pixels takes.`);
    if (got < needed) {
      const detail = `${percent(got, needed)} of ${what.slice(0, -1)} ${i + 1} of ${pieces} of the TIFF's pixels`;
      throw new Missing("damaged", `There is no more than ${detail}.`);
    }
  }
  return { whole: true, bytes: cleaned(tags), ...(!read.has(compression) && { unread: true }) };
}

/** Bytes that a piece gives, where its compression is simple enough to tell; else those that are needed. */
async function unpackedLength(piece: Uint8Array, compression: number, needed: number): Promise<number> {
  if (compression === 1) return piece.length;
  if (compression === 32773) return packBitsLength(piece);
  if (!deflate.has(compression)) return needed;
  try {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2 * needed + 65536 };
    return (await inflated(piece, options)).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") return needed;
    throw new Missing("damaged", "The TIFF's compressed data is broken.");
  }
}

/** Up to 127: so many bytes and one more follow as they are; from 129: the next one 257 − n times. */
function packBitsLength(piece: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < piece.length; ) {
    const n = piece[at]!;
    if (n < 128) length += Math.min(n + 1, piece.length - at - 1);
    else if (n > 128 && at + 1 < piece.length) length += 257 - n;
    at += n < 128 ? n + 2 : n > 128 ? 2 : 1;
  }
  return length;
}

/** A strip or tile is a JPEG of its own, whose tables may stand in a tag. */
async function lookAtJpegPiece(piece: Uint8Array, tables: Uint8Array): Promise<void> {
  await lookAtJpeg(tables.length > 4 ? Buffer.concat([tables.subarray(0, -2), piece.subarray(2)]) : piece);
}

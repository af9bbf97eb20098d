import { promisify } from "node:util";
import { constants, crc32, inflate } from "node:zlib";
import { type Finding, Missing, percent } from "./finding.ts";

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
  /** The chunk as it stands in the file, with length and check sum. */
  readonly whole: Buffer;
  readonly isSound: boolean;
}

/** Chunks that say how the pixels are to be shown. What else there is, a picture can do without. */
const kept = new Set(["IHDR", "PLTE", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "cICP", "sBIT", "eXIf", "IDAT"]);
const end = Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]);
/** First column and row of the seven passes of an interlaced picture, and the steps between its pixels. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const inflated = promisify(inflate);

/**
 * Whether all rows of a PNG are there and sound.
 * Source: Portable Network Graphics (PNG) Specification (Third Edition), sections 5, 8 and 10.
 */
export async function lookAtPng(file: Uint8Array): Promise<Finding> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const all = [...chunksOf(bytes)];
  const header = all[0];
  if (header?.type !== "IHDR" || header.data.length !== 13)
    throw new Missing("not-a-picture", "The PNG has no header that makes sense.");
  const stored = all.filter(({ type }) => type === "IDAT");
  if (stored.length === 0) throw new Missing("truncated", "The PNG ends before its pixels begin.");
  const needed = rowBytes(header.data);
  const data = await unpacked(Buffer.concat(stored.map((chunk) => chunk.data)), needed);
  const broken = all.find(({ type, isSound }) => ["IHDR", "PLTE"].includes(type) && !isSound);
  if (broken) throw new Missing("damaged", `The check sum of the PNG's ${broken.type} is wrong.`);
  const lastIsCut = !all.at(-1)!.isSound && all.at(-1)!.whole.length < all.at(-1)!.data.length + 12;
  if (data.length < needed) {
    const cut = lastIsCut || all.at(-1)!.type === "IDAT";
    const detail = `The PNG's data ends after ${percent(data.length, needed)} of its rows.`;
    throw new Missing(cut ? "truncated" : "damaged", detail);
  }
  const wrong = stored.findIndex(({ isSound }) => !isSound);
  // The last part may lack no more than its check sum.
  if (wrong >= 0 && !(lastIsCut && wrong === stored.length - 1))
    throw new Missing("damaged", `The check sum of part ${wrong + 1} of ${stored.length} of the PNG's data is wrong.`);
  const sound = all.filter(({ type, isSound, whole }) => kept.has(type) && isSound && whole.length > 12);
  const last = wrong >= 0 ? [chunk("IDAT", stored[wrong]!.data)] : [];
  return { whole: true, bytes: Buffer.concat([bytes.subarray(0, 8), ...sound.map((c) => c.whole), ...last, end]) };
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), data]);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(data.length);
  numbers.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([numbers.subarray(0, 4), named, numbers.subarray(4)]);
}

function* chunksOf(bytes: Buffer): Generator<Chunk, void, undefined> {
  for (let at = 8; at + 8 <= bytes.length; ) {
    const type = bytes.toString("latin1", at + 4, at + 8);
    const dataEnd = at + 8 + bytes.readUInt32BE(at);
    const isSound =
      dataEnd + 4 <= bytes.length && crc32(bytes.subarray(at + 4, dataEnd)) === bytes.readUInt32BE(dataEnd);
    const whole = bytes.subarray(at, dataEnd + 4);
    yield { type, data: bytes.subarray(at + 8, dataEnd), whole, isSound };
    if (type === "IEND") return;
    at = dataEnd + 4;
  }
}

/** Bytes of all rows with their filter bytes. */
function rowBytes(header: Buffer): number {
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const [depth, colour, interlaced] = [header[8]!, header[9]!, header[12] === 1];
  const channels = [1, 0, 3, 1, 2, 0, 4][colour];
  if (!channels) throw new Missing("not-a-picture", `The PNG's header has an unknown kind of colour, ${colour}.`);
  const size = (columns: number, rows: number) =>
    columns > 0 && rows > 0 ? rows * (1 + Math.ceil((columns * channels * depth) / 8)) : 0;
  if (!interlaced) return size(width, height);
  return passes.reduce(
    (sum, [x, y, across, down]) => sum + size(Math.ceil((width - x) / across), Math.ceil((height - y) / down)),
    0,
  );
}

/** As much as can be unpacked of the rows, and no more than they take. */
async function unpacked(data: Buffer, needed: number): Promise<Buffer> {
  try {
    // Without the demand for an end, what there is of a stream that was cut comes out.
    return await inflated(data, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: Math.max(needed + 65536, 1) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw new Missing("damaged", "The PNG's data has more rows than the picture.");
    throw new Missing("damaged", "The PNG's compressed data is broken.");
  }
}

import { segments, sos } from "../damage/jpeg.ts";
import { directoriesOf } from "./directories.ts";

/** A JPEG that a decoder can show, within a raw photograph. */
export interface Preview {
  readonly jpeg: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** What a layout tells. */
export interface Previews {
  readonly previews: readonly Preview[];
  /** Of the photograph, 1 to 8 as EXIF's; 1 where it is not told. */
  readonly orientation: number;
  /** Whether the photograph says that its colours are those of Adobe RGB. */
  readonly isAdobeRgb: boolean;
}

/** Frames of 8 bits that browsers show: baseline, extended and progressive. Raw samples are lossless (0xC3), or of more bits. */
const shown = new Set([0xc0, 0xc1, 0xc2]);

/** The JPEG at a place of a file; undefined where there is none that can be shown. */
export function jpegAt(bytes: Uint8Array, start: number, length: number): Preview | undefined {
  const isInside = start > 0 && length > 128 && start + length <= bytes.length;
  if (!isInside || bytes[start] !== 0xff || bytes[start + 1] !== 0xd8) return undefined;
  const jpeg = bytes.subarray(start, start + length);
  for (const { code, data } of segments(Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength))) {
    const isFrame = code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code);
    if (code === sos) return undefined;
    if (!isFrame) continue;
    if (!shown.has(code) || data.length < 6 || data[0] !== 8 || (data[5] !== 1 && data[5] !== 3)) return undefined;
    const [height, width] = [256 * data[1]! + data[2]!, 256 * data[3]! + data[4]!];
    return width > 0 && height > 0 ? { jpeg, width, height } : undefined;
  }
  return undefined;
}

/**
 * Every JPEG that stands somewhere in a file, found by its first bytes: for cameras that keep their preview among the maker's own notes.
 * Each goes on to the mark of its end behind its last scan.
 */
export function jpegsWithin(bytes: Uint8Array): Preview[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Preview[] = [];
  for (let at = file.indexOf("\xff\xd8\xff", 1, "latin1"); at >= 0; ) {
    const preview = jpegAt(bytes, at, bytes.length - at);
    const end = preview ? endOf(file, at) : undefined;
    if (preview && end !== undefined) found.push({ ...preview, jpeg: bytes.subarray(at, end) });
    at = file.indexOf("\xff\xd8\xff", end ?? at + 3, "latin1");
  }
  return found;
}

function endOf(file: Buffer, start: number): number | undefined {
  let hasScan = false;
  for (const { code, end } of segments(file, start + 2)) {
    if (code === sos) hasScan = true;
    if (code === 0xd9) return hasScan ? end : undefined;
  }
  return undefined;
}

const exifMark = "Exif\0\0";

/**
 * A JPEG that is to be shown as the photograph around it: with that one's orientation, unless it has one of its own.
 * @param orientation 1 to 8, as EXIF's
 */
export function oriented(jpeg: Uint8Array, orientation: number): Uint8Array {
  const bytes = Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  const exifs: { readonly from: number; readonly to: number }[] = [];
  for (const { code, at, data, end } of segments(bytes)) {
    if (code === sos) break;
    if (code !== 0xe1 || Buffer.from(data.subarray(0, 6)).toString("latin1") !== exifMark) continue;
    if (directoriesOf(data.subarray(6))[0]?.has(274)) return jpeg;
    exifs.push({ from: at, to: end });
  }
  if (orientation < 2 || orientation > 8) return jpeg;
  // A directory of one tag: 274 (orientation), a short.
  const tiff = Buffer.from("49492a0008000000010012010300010000000000000000000000", "hex");
  tiff.writeUInt16LE(orientation, 18);
  const exif = Buffer.concat([Buffer.from(exifMark, "latin1"), tiff]);
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2]);
  const rest: Uint8Array[] = [];
  let at = 2;
  for (const { from, to } of exifs) {
    rest.push(bytes.subarray(at, from));
    at = to;
  }
  return Buffer.concat([head, exif, ...rest, bytes.subarray(at)]);
}

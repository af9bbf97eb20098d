/** Codes of markers, the byte behind 0xFF. */
const soi = 0xd8;
const eoi = 0xd9;
export const sos = 0xda;

/** A marker and what belongs to it. */
export interface Segment {
  readonly code: number;
  /** Where the marker's 0xFF stands. */
  readonly at: number;
  /** Its data, without the two bytes of its length. */
  readonly data: Uint8Array;
  /** Behind the data; for a scan, where its entropy-coded data begins. */
  readonly end: number;
}

/** Whether a marker stands alone, without a length behind it. */
const standsAlone = (code: number) => code === 0x01 || (code >= 0xd0 && code <= eoi);

/**
 * Markers of a JPEG from `at` on, up to its EOI or another SOI, which is given last. Bytes between segments and the
 * entropy-coded data of scans are passed over, as decoders do.
 */
export function* segments(bytes: Buffer, at = 2): Generator<Segment, void, undefined> {
  for (;;) {
    at = nextMarker(bytes, at);
    const code = bytes[at + 1];
    if (code === undefined) return;
    const hasData = !standsAlone(code);
    if (hasData && at + 4 > bytes.length) return;
    const end = hasData ? at + 2 + bytes.readUInt16BE(at + 2) : at + 2;
    yield { code, at, data: bytes.subarray(Math.min(at + 4, end), end), end };
    if (code === eoi || code === soi) return;
    at = end;
  }
}

/** Where the next marker stands that is no restart marker; the length of the file when there is none. */
export function nextMarker(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const code = bytes[at + 1];
    if (code === undefined) break;
    // 0xFF 0x00 stands for 0xFF in a scan; a 0xFF before a marker fills up.
    if (code !== 0 && code !== 0xff && !(code >= 0xd0 && code <= 0xd7)) return at;
  }
  return bytes.length;
}

/**
 * The first picture of a JPEG file: Ultra HDR, MPO and others put more behind it, which could hide that its end is missing, or
 * be what a decoder stumbles over.
 */
export function firstPicture(file: Uint8Array): Uint8Array {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  let scan = 0;
  for (const { code, end } of segments(bytes)) {
    // Pictures within segments, such as the thumbnail of EXIF, are passed over with them.
    if (code === sos && bytes.indexOf("\xff\xd8\xff", end, "latin1") < 0) return file;
    if (code === sos) scan = end;
    if (scan && code === eoi) return file.subarray(0, end);
    if (scan && code === soi) return file.subarray(0, end - 2);
  }
  return file;
}

/** Scans of a JPEG: a progressive one is gone through once for each. */
export function scansOf(file: Uint8Array): number {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  let scans = 0;
  for (const { code } of segments(bytes)) if (code === sos) scans++;
  return scans;
}

/** A JPEG with the end marker that it lacks, so that a decoder fills up what is missing before it. */
export function closed(picture: Uint8Array): Uint8Array {
  const isClosed = picture.at(-2) === 0xff && picture.at(-1) === eoi;
  return isClosed ? picture : Buffer.concat([picture, Uint8Array.of(0xff, eoi)]);
}

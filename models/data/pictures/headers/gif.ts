/** Where the first frame of a GIF lies on its canvas, in pixels. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const extension = 0x21;
const frame = 0x2c;

/**
 * The place of the first frame.
 * @returns undefined where it covers the canvas, or cannot be found, which the decoder then says in its words
 * Source: CompuServe, "Graphics Interchange Format, Version 89a".
 */
export function readSmallFrame(file: Uint8Array): Frame | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  let at = 13 + tableBytes(bytes[10] ?? 0);
  while (bytes[at] === extension) {
    at += 2;
    while (bytes[at]) at += 1 + bytes[at]!;
    at++;
  }
  if (bytes[at] !== frame || at + 10 > bytes.length) return undefined;
  const [left, top, width, height] = [1, 3, 5, 7].map((i) => bytes.readUInt16LE(at + i));
  const covers = left === 0 && top === 0 && width! >= bytes.readUInt16LE(6) && height! >= bytes.readUInt16LE(8);
  return covers ? undefined : { left: left!, top: top!, width: width!, height: height! };
}

/** Bytes of the colour table that a packed field tells of. */
function tableBytes(field: number): number {
  return field & 0x80 ? 3 * 2 ** ((field & 7) + 1) : 0;
}

import { type Finding, Missing, percent } from "./finding.ts";

/**
 * Whether the first frame of a GIF is there, which is what is shown of it.
 * Source: CompuServe, "Graphics Interchange Format, Version 89a".
 */
export async function lookAtGif(file: Uint8Array): Promise<Finding> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const begins = 13 + tableBytes(bytes[10] ?? 0);
  let at = begins;
  while (bytes[at] === 0x21) at = subBlocks(bytes, at + 2).end;
  if (bytes[at] !== 0x2c || at + 11 > bytes.length) {
    const isCut = at >= bytes.length - 11;
    throw new Missing(isCut ? "truncated" : "damaged", "The GIF has no frame behind its header.");
  }
  const pixels = bytes.readUInt16LE(at + 5) * bytes.readUInt16LE(at + 7);
  const data = at + 10 + tableBytes(bytes[at + 9]!);
  const { blocks, end, closed } = subBlocks(bytes, data + 1);
  const count = countPixels(Buffer.concat(blocks), bytes[data] ?? 0, pixels);
  if (count < pixels)
    throw new Missing(
      closed ? "damaged" : "truncated",
      `The GIF's data ends after ${percent(count, pixels)} of its first frame.`,
    );
  const last = closed ? [0x3b] : [0, 0x3b];
  return { whole: true, bytes: Buffer.concat([bytes.subarray(0, end), Buffer.from(last)]) };
}

/** Bytes of the colour table that a packed field tells of. */
function tableBytes(field: number): number {
  return field & 0x80 ? 3 * 2 ** ((field & 7) + 1) : 0;
}

function subBlocks(bytes: Buffer, at: number): { blocks: Buffer[]; end: number; closed: boolean } {
  const blocks: Buffer[] = [];
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return { blocks, end: bytes.length, closed: false };
    if (length === 0) return { blocks, end: at + 1, closed: true };
    blocks.push(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** How many pixels an LZW stream stands for, up to `most`, counted by the length of what each code stands for. */
function countPixels(data: Buffer, rootBits: number, most: number): number {
  if (rootBits < 1 || rootBits > 11) throw new Missing("damaged", `The GIF has codes of ${rootBits} bits.`);
  const clear = 2 ** rootBits;
  const lengths = new Uint32Array(4096).fill(1, 0, clear);
  let [width, next, previous, count] = [rootBits + 1, clear + 2, -1, 0];
  let [held, heldBits] = [0, 0];
  for (const byte of data) {
    held |= byte << heldBits;
    heldBits += 8;
    while (heldBits >= width) {
      const code = held & (2 ** width - 1);
      held >>>= width;
      heldBits -= width;
      if (code === clear + 1) return count;
      if (code === clear) {
        [width, next, previous] = [rootBits + 1, clear + 2, -1];
        continue;
      }
      const isNew = code === next && previous >= 0;
      if (code > next || (code === next && !isNew))
        throw new Missing("damaged", "The GIF's data has a code that stands for nothing.");
      count += isNew ? lengths[previous]! + 1 : lengths[code]!;
      if (count >= most) return count;
      if (previous >= 0 && next < 4096) {
        lengths[next++] = lengths[previous]! + 1;
        if (next === 2 ** width && width < 12) width++;
      }
      previous = code;
    }
  }
  return count;
}

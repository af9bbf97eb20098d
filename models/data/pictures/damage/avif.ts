import { type Finding, Missing } from "./finding.ts";

/**
 * Whether the bytes of an AVIF's coded pictures are in the file. What is in them only a decoder can tell.
 * Source: ISO/IEC 14496-12, sections 8.11.3 (iloc) and 8.11.6 (iinf).
 */
export function lookAtAvif(file: Uint8Array): Finding {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const meta = boxes(bytes, 0, bytes.length).find(({ type }) => type === "meta");
  if (!meta || meta.end > bytes.length) throw new Missing("truncated", "The AVIF ends before its pixels begin.");
  const inside = boxes(bytes, meta.start + 4, meta.end);
  const kinds = itemKinds(
    bytes,
    inside.find(({ type }) => type === "iinf"),
  );
  const places = inside.find(({ type }) => type === "iloc");
  if (!places) throw new Missing("not-a-picture", "The AVIF does not say where its pixels are.");
  if (![...kinds.values()].includes("av01")) {
    const codecs = [...new Set(kinds.values())].join(", ");
    throw new Missing("unsupported", `It is a HEIF picture without AV1: its parts are of the types ${codecs}.`);
  }
  for (const { item, end } of extents(bytes, places.start, places.end)) {
    if (kinds.get(item) === "av01" && end > bytes.length)
      throw new Missing("truncated", `The last ${end - bytes.length} bytes of the AVIF's pixels are missing.`);
  }
  return { whole: true, bytes };
}

interface Box {
  readonly type: string;
  /** Where its content begins and ends. */
  readonly start: number;
  readonly end: number;
}

function boxes(bytes: Buffer, from: number, to: number): Box[] {
  const found: Box[] = [];
  for (let at = from; at + 8 <= to; ) {
    const size = bytes.readUInt32BE(at);
    const wide = size === 1 && at + 16 <= to;
    const length = size === 0 ? to - at : wide ? Number(bytes.readBigUInt64BE(at + 8)) : size;
    if (length < 8) break;
    found.push({ type: bytes.toString("latin1", at + 4, at + 8), start: at + (wide ? 16 : 8), end: at + length });
    at += length;
  }
  return found;
}

/** Four-letter type of each item. */
function itemKinds(bytes: Buffer, box: Box | undefined): Map<number, string> {
  const kinds = new Map<number, string>();
  if (!box) return kinds;
  const first = box.start + (bytes[box.start] === 0 ? 6 : 8);
  for (const { type, start } of boxes(bytes, first, box.end)) {
    if (type !== "infe") continue;
    const long = bytes[start]! > 2;
    const item = long ? bytes.readUInt32BE(start + 4) : bytes.readUInt16BE(start + 4);
    const at = start + (long ? 10 : 8);
    kinds.set(item, bytes.toString("latin1", at, at + 4));
  }
  return kinds;
}

/** Ends of the pieces of items that lie in the file itself. */
function extents(bytes: Buffer, start: number, end: number): { item: number; end: number }[] {
  const version = bytes[start]!;
  const sizes = bytes.readUInt16BE(start + 4);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  let at = start + 6;
  const take = (size: number) => {
    at += size;
    if (size === 0 || at > end) return 0;
    return size === 8 ? Number(bytes.readBigUInt64BE(at - 8)) : bytes.readUIntBE(at - size, size);
  };
  const found: { item: number; end: number }[] = [];
  const count = take(version < 2 ? 2 : 4);
  for (let i = 0; i < count && at < end; i++) {
    const item = take(version < 2 ? 2 : 4);
    const inFile = version === 0 || (take(2) & 15) === 0;
    take(2);
    const base = take(baseSize);
    const pieces = take(2);
    for (let j = 0; j < pieces && at < end; j++) {
      take(indexSize);
      const offset = base + take(offsetSize);
      const length = take(lengthSize);
      if (inFile) found.push({ item, end: offset + length });
    }
  }
  return found;
}

import type { Cicp } from "../colours.ts";
import { Bits } from "./bits.ts";

/** Colours that the sequence header of an AV1 stream tells; undefined where there is no such header or it tells none. */
export function readSequenceColours(stream: Uint8Array): Cicp | undefined {
  const header = sequenceHeader(stream);
  return header && colourDescription(new Bits(header));
}

const sequenceHeaderType = 1;

/** Source: AV1 Bitstream & Decoding Process Specification, sections 5.3 and 4.10.5. */
function sequenceHeader(stream: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at < stream.length; ) {
    const first = stream[at]!;
    at += first & 4 ? 2 : 1;
    let length = stream.length - at;
    if (first & 2) {
      length = 0;
      for (let i = 0; i < 8; i++) {
        const byte = stream[at++] ?? 0;
        length += (byte & 0x7f) * 2 ** (7 * i);
        if (byte < 0x80) break;
      }
    }
    if (((first >> 3) & 15) === sequenceHeaderType) return stream.subarray(at, at + length);
    at += length;
  }
  return undefined;
}

/** Section 5.5: reads on as far as the colours. */
function colourDescription(bits: Bits): Cicp | undefined {
  const profile = bits.read(3);
  bits.skip(1);
  const isReduced = bits.flag();
  if (isReduced) bits.skip(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits.read(4) + 1, bits.read(4) + 1];
  bits.skip(widthBits + heightBits);
  if (!isReduced && bits.flag()) bits.skip(7);
  bits.skip(3);
  if (!isReduced) skipTools(bits);
  bits.skip(3);
  const isDeep = bits.flag();
  if (profile === 2 && isDeep) bits.skip(1);
  if (profile !== 1) bits.skip(1);
  if (!bits.flag()) return undefined;
  return { primaries: bits.read(8), transfer: bits.read(8) };
}

function skipOperatingPoints(bits: Bits): void {
  let delayBits: number | undefined;
  if (bits.flag()) {
    bits.skip(64);
    if (bits.flag()) bits.skipVariable();
    if (bits.flag()) {
      delayBits = bits.read(5) + 1;
      bits.skip(42);
    }
  }
  const hasDisplayDelay = bits.flag();
  for (let points = bits.read(5); points >= 0; points--) {
    bits.skip(12);
    if (bits.read(5) > 7) bits.skip(1);
    if (delayBits !== undefined && bits.flag()) bits.skip(2 * delayBits + 1);
    if (hasDisplayDelay && bits.flag()) bits.skip(4);
  }
}

function skipTools(bits: Bits): void {
  bits.skip(4);
  const hasOrder = bits.flag();
  if (hasOrder) bits.skip(2);
  const screenContent = bits.flag() || bits.flag();
  if (screenContent && !bits.flag()) bits.skip(1);
  if (hasOrder) bits.skip(3);
}

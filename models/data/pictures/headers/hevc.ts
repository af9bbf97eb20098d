import type { Cicp } from "../colours.ts";
import { Bits } from "./bits.ts";

const sequenceParameters = 33;

/**
 * Colours that the sequence parameter set of a HEVC configuration (`hvcC`) tells; undefined where it tells none.
 * Source: ISO/IEC 14496-15, section 8.3.2.1; ITU-T H.265, sections 7.3.2.2 and E.2.1.
 */
export function readHevcColours(configuration: Uint8Array): Cicp | undefined {
  const view = new DataView(configuration.buffer, configuration.byteOffset, configuration.byteLength);
  let at = 23;
  for (let arrays = view.getUint8(22); arrays > 0; arrays--) {
    const type = view.getUint8(at) & 0x3f;
    const units = view.getUint16(at + 1);
    at += 3;
    for (let unit = 0; unit < units; unit++) {
      const length = view.getUint16(at);
      at += 2;
      // Behind the header of the unit, which has two bytes.
      if (type === sequenceParameters)
        return colourDescription(new Bits(unescaped(configuration.subarray(at + 2, at + length))));
      at += length;
    }
  }
  return undefined;
}

/** Without the bytes that keep start codes from standing inside of a unit (section 7.4.2). */
function unescaped(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte, i) => !(byte === 3 && i >= 2 && bytes[i - 1] === 0 && bytes[i - 2] === 0));
}

/** Reads on as far as the colours. */
function colourDescription(bits: Bits): Cicp | undefined {
  bits.skip(4);
  const subLayers = bits.read(3);
  bits.skip(1);
  skipProfile(bits, subLayers);
  bits.golomb();
  if (bits.golomb() === 3) bits.skip(1);
  skipGolomb(bits, 2);
  if (bits.flag()) skipGolomb(bits, 4);
  skipGolomb(bits, 2);
  const orderBits = bits.golomb() + 4;
  skipGolomb(bits, 3 * (bits.flag() ? subLayers + 1 : 1));
  skipGolomb(bits, 6);
  if (bits.flag() && bits.flag()) skipScalingLists(bits);
  bits.skip(2);
  if (bits.flag()) {
    bits.skip(8);
    skipGolomb(bits, 2);
    bits.skip(1);
  }
  if (!skipReferences(bits)) return undefined;
  if (bits.flag()) for (let left = Math.min(bits.golomb(), 32); left > 0; left--) bits.skip(orderBits + 1);
  bits.skip(2);
  return bits.flag() ? usability(bits) : undefined;
}

/** Section E.2.1. */
function usability(bits: Bits): Cicp | undefined {
  if (bits.flag() && bits.read(8) === 255) bits.skip(32);
  if (bits.flag()) bits.skip(1);
  if (!bits.flag()) return undefined;
  bits.skip(4);
  return bits.flag() ? { primaries: bits.read(8), transfer: bits.read(8) } : undefined;
}

/** Section 7.3.3. */
function skipProfile(bits: Bits, subLayers: number): void {
  bits.skip(96);
  const present = Array.from({ length: subLayers }, () => [bits.flag(), bits.flag()]);
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  for (const [profile, level] of present) bits.skip((profile ? 88 : 0) + (level ? 8 : 0));
}

/** Section 7.3.4. */
function skipScalingLists(bits: Bits): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (bits.flag()) skipGolomb(bits, Math.min(64, 1 << (4 + 2 * size)) + (size > 1 ? 1 : 0));
      else bits.golomb();
    }
  }
}

/** Section 7.3.7, short-term sets. @returns false where there are more than there may be */
function skipReferences(bits: Bits): boolean {
  const sets = bits.golomb();
  if (sets > 64) return false;
  let before = 0;
  for (let set = 0; set < sets; set++) {
    if (set > 0 && bits.flag()) {
      bits.skip(1);
      bits.golomb();
      let count = 0;
      for (let i = 0; i <= before; i++) if (bits.flag() || bits.flag()) count++;
      before = count;
    } else {
      before = bits.golomb() + bits.golomb();
      if (before > 32) return false;
      for (let i = 0; i < before; i++) {
        bits.golomb();
        bits.skip(1);
      }
    }
  }
  return true;
}

function skipGolomb(bits: Bits, count: number): void {
  for (let i = 0; i < count; i++) bits.golomb();
}

import { segments, sos } from "../damage/jpeg.ts";
import { type Directory, directoriesOf, directoryAt } from "./directories.ts";

const tags = { exif: 34665, colourSpace: 40961, interoperability: 40965, index: 1 } as const;

/** Values of ColorSpace: what EXIF has no number for, and the number that some cameras give Adobe RGB. */
const [uncalibrated, adobeRgb] = [65535, 2];

/** Whether the EXIF of a TIFF says that colours are those of Adobe RGB. */
export function tellsAdobeRgb(tiff: Uint8Array): boolean {
  const at = directoriesOf(tiff)[0]?.numbers(tags.exif, 1)[0];
  return at !== undefined && isAdobeRgbExif(tiff, directoryAt(tiff, at));
}

/**
 * Whether a directory of EXIF says that colours are those of Adobe RGB, which cameras do by an index of interoperability, R03 (the optional colour space of DCF), beside a colour
 * space that has no number.
 * Source: CIPA DC-008 (EXIF 2.32), sections 4.6.5 and 4.6.8; JEITA CP-3461 (DCF 2.0), section 6.
 */
export function isAdobeRgbExif(tiff: Uint8Array, exif: Directory | undefined): boolean {
  const space = exif?.numbers(tags.colourSpace, 1)[0];
  if (space === adobeRgb) return true;
  const at = exif?.numbers(tags.interoperability, 1)[0];
  if (space !== uncalibrated || at === undefined) return false;
  const place = directoryAt(tiff, at)?.place(tags.index);
  return place !== undefined && textAt(tiff, place.start, 3) === "R03";
}

/** A JPEG with the profile of Adobe RGB, where it has none and either its own EXIF or the photograph around it says that it needs one. */
export function inAdobeRgb(jpeg: Uint8Array, isTold: boolean): Uint8Array {
  const bytes = Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  let isNeeded = isTold;
  for (const { code, data } of segments(bytes)) {
    if (code === sos) break;
    if (code === 0xe2 && textAt(data, 0, iccMark.length) === iccMark) return jpeg;
    if (code === 0xe1 && textAt(data, 0, exifMark.length) === exifMark) isNeeded ||= tellsAdobeRgb(data.subarray(6));
  }
  if (!isNeeded) return jpeg;
  const body = Buffer.concat([Buffer.from(`${iccMark}\x01\x01`, "latin1"), profile()]);
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xe2, 0, 0]);
  head.writeUInt16BE(body.length + 2, 4);
  return Buffer.concat([head, body, bytes.subarray(2)]);
}

const iccMark = "ICC_PROFILE\0";
const exifMark = "Exif\0\0";

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.subarray(at, at + length)).toString("latin1");
}

/** Columns of the matrix of Adobe RGB to XYZ under D50, and D50. Source: Adobe RGB (1998) Color Image Encoding, section 4.3.7. */
const columns = {
  rXYZ: [0.60974, 0.31111, 0.01947],
  gXYZ: [0.20528, 0.62567, 0.06087],
  bXYZ: [0.14919, 0.06322, 0.74457],
  wtpt: [0.9642, 1, 0.8249],
} as const;

/** An ICC profile of three channels with one exponent, 2 + 51/256. Source: ICC.1:2001-04, sections 6.1 to 6.5. */
function profile(): Buffer {
  const text = (name: string) => Buffer.concat([Buffer.from(`text\0\0\0\0${name}\0`, "latin1")]);
  const described = Buffer.concat([
    Buffer.from("desc\0\0\0\0\0\0\0\x05", "latin1"),
    Buffer.from("A98C\0"),
    Buffer.alloc(78),
  ]);
  const curve = Buffer.from("6375727600000000000000010233", "hex");
  const place = (values: readonly number[]) => {
    const content = Buffer.alloc(20);
    content.write("XYZ ", "latin1");
    for (const [i, value] of values.entries()) content.writeInt32BE(Math.round(65536 * value), 8 + 4 * i);
    return content;
  };
  const all: [string, Buffer][] = [
    ["desc", described],
    ["cprt", text("CC0")],
    ...Object.entries(columns).map(([name, values]): [string, Buffer] => [name, place(values)]),
    ...["rTRC", "gTRC", "bTRC"].map((name): [string, Buffer] => [name, curve]),
  ];
  const table = Buffer.alloc(4 + 12 * all.length);
  table.writeUInt32BE(all.length, 0);
  let at = 128 + table.length;
  const contents = all.map(([name, content], i) => {
    table.write(name, 4 + 12 * i, "latin1");
    table.writeUInt32BE(at, 8 + 12 * i);
    table.writeUInt32BE(content.length, 12 + 12 * i);
    const padded = Buffer.concat([content, Buffer.alloc(-content.length & 3)]);
    at += padded.length;
    return padded;
  });
  const header = Buffer.alloc(128);
  header.writeUInt32BE(at, 0);
  header.write("\x02\x10\0\0mntrRGB XYZ ", 8, "latin1");
  header.write("acsp", 36, "latin1");
  place(columns.wtpt).copy(header, 68, 8);
  return Buffer.concat([header, table, ...contents]);
}

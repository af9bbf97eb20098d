import { PictureError } from "../picture-error.ts";
import { inAdobeRgb, tellsAdobeRgb } from "./adobe-rgb.ts";
import { canonPreviews } from "./canon-cr3.ts";
import { type Directory, directoriesOf } from "./directories.ts";
import { jpegAt, jpegsWithin, oriented, type Preview, type Previews } from "./jpeg-within.ts";

/** A preview with a longer side of fewer pixels is a thumbnail, of which the quality of the photograph cannot be told. */
const leastSide = 480;

const photometric = { colourFilter: 32803, linear: 34892 } as const;

/** What kind of raw photograph a TIFF is: it says so (DNG), or has samples behind a colour filter; undefined where it is none. */
export function rawTiff(bytes: Uint8Array): string | undefined {
  const directories = directoriesOf(bytes);
  const [first] = directories;
  if (!first) return undefined;
  if (first.has(50706)) return "a raw photograph (DNG)";
  // A small copy with the photograph behind it, as Nikon's NEF and Sony's ARW have it.
  const isCopy = first.numbers(254, 1)[0] === 1 && first.has(330);
  return isCopy || directories.some(isRawSamples) ? "a raw photograph" : undefined;
}

function isRawSamples(directory: Directory): boolean {
  const [how] = directory.numbers(262, 1);
  // 32767, 34713, 65535: raw samples as Sony, Nikon and Pentax pack them.
  return (
    how === photometric.colourFilter || how === photometric.linear || packed.has(directory.numbers(259, 1)[0] ?? 1)
  );
}

const packed = new Set([32767, 34713, 65535]);

/**
 * The largest JPEG preview of a raw photograph, which cameras make as they make their JPEGs, with the orientation of the photograph, and its colours where
 * it says by EXIF alone that they are those of Adobe RGB.
 * The raw samples are not developed. Layouts: TIFF's directories (CR2, NEF, NRW, ARW, SR2, SRW, DNG, PEF, …; RW2 with a tag of its own), the
 * header of Fujifilm's RAF, the boxes of Canon's CR3; where those tell of none, such as in Olympus' ORF, JPEGs are looked for in all of the file.
 * @param what names the kind in errors, such as "a raw photograph (DNG)"
 * @throws PictureError "unsupported" when there is no preview, or a thumbnail alone
 * Source: Adobe, DNG 1.7; the layouts as ExifTool documents them (exiftool.org/TagNames).
 */
export function rawPreview(bytes: Uint8Array, path: string, what: string): Uint8Array {
  const { previews, orientation, isAdobeRgb } = startsWith(bytes, "FUJIFILMCCD-RAW")
    ? fujifilmPreviews(bytes)
    : startsWith(bytes, "ftyp", 4)
      ? canonPreviews(bytes)
      : tiffPreviews(bytes);
  const largest = previews.toSorted((a, b) => b.width * b.height - a.width * a.height)[0];
  const advice =
    "Develop it to JPEG, PNG or TIFF first, or have the camera or the converter write a full preview (embedded JPEG).";
  if (!largest) throw new PictureError(path, "unsupported", `It is ${what} without a JPEG preview.`, { advice });
  if (Math.max(largest.width, largest.height) < leastSide) {
    const detail = `It is ${what} with no preview but a thumbnail of ${largest.width} x ${largest.height} pixels.`;
    throw new PictureError(path, "unsupported", detail, { advice });
  }
  return inAdobeRgb(oriented(largest.jpeg, orientation), isAdobeRgb);
}

function startsWith(bytes: Uint8Array, text: string, at = 0): boolean {
  return Buffer.from(bytes.subarray(at, at + text.length)).toString("latin1") === text;
}

/** Tags that hold the place of a JPEG: in RW2 as bytes, else an offset and a length. */
const jpgFromRaw = 0x2e;

function tiffPreviews(bytes: Uint8Array): Previews {
  const directories = directoriesOf(bytes);
  const told = directories.flatMap((directory) => previewsOf(bytes, directory));
  const isLarge = told.some(({ width, height }) => Math.max(width, height) >= leastSide);
  // DNG's raw samples may be JPEGs of 8 bits themselves.
  const isDng = directories[0]?.has(50706) ?? false;
  const previews = isLarge || isDng ? told : [...told, ...jpegsWithin(bytes)];
  return { previews, orientation: directories[0]?.numbers(274, 1)[0] ?? 1, isAdobeRgb: tellsAdobeRgb(bytes) };
}

function previewsOf(bytes: Uint8Array, directory: Directory): Preview[] {
  if (directory.has(262) && isRawSamples(directory)) return [];
  const own = directory.place(jpgFromRaw);
  const places = [
    ...(own ? [[own.start, own.length]] : []),
    [directory.numbers(513, 1)[0], directory.numbers(514, 1)[0]],
    // One strip with an old or a new JPEG in it.
    ...([6, 7].includes(directory.numbers(259, 1)[0] ?? 1) && directory.numbers(273).length === 1
      ? [[directory.numbers(273)[0], directory.numbers(279)[0]]]
      : []),
  ];
  return places.flatMap(([start, length]) => {
    const preview = start && length ? jpegAt(bytes, start, length) : undefined;
    return preview ? [preview] : [];
  });
}

/** Big-endian: where the JPEG is at byte 84, how long at byte 88. It has EXIF of its own. */
function fujifilmPreviews(bytes: Uint8Array): Previews {
  if (bytes.length < 92) return { previews: [], orientation: 1, isAdobeRgb: false };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const preview = jpegAt(bytes, view.getUint32(84), view.getUint32(88));
  return { previews: preview ? [preview] : [], orientation: 1, isAdobeRgb: false };
}

import { boxes } from "../headers/heif.ts";
import { isAdobeRgbExif } from "./adobe-rgb.ts";
import { directoriesOf } from "./directories.ts";
import { jpegAt, type Preview, type Previews } from "./jpeg-within.ts";

const canonBox = "85c0b687820f11e08111f4ce462b6a48";
const previewBox = "eaf42b5e1c984b88b9fbb7dc406e4d16";

/**
 * Previews of a CR3, an ISO base media file: a box `PRVW` of Canon's own, and a track whose sample is the JPEG in full size; the orientation
 * stands in a TIFF in the box `CMT1`, EXIF in `CMT2`.
 * Source: L. Chevalier, "Describing the Canon CR3 format" (github.com/lclevy/canon_cr3); ISO/IEC 14496-12, section 8.
 */
export function canonPreviews(bytes: Uint8Array): Previews {
  const all = boxes(bytes);
  const movie = boxes(all.find(({ type }) => type === "moov")?.content ?? new Uint8Array());
  const canon = boxes(extended([...movie, ...all], canonBox));
  const settings = canon.find(({ type }) => type === "CMT1")?.content;
  const orientation = settings && directoriesOf(settings)[0]?.numbers(274, 1)[0];
  const own = boxes(extended(all, previewBox).subarray(8)).find(({ type }) => type === "PRVW")?.content;
  const tracks = movie.filter(({ type }) => type === "trak").map(({ content }) => trackSample(bytes, content));
  const previews = [...tracks, own && jpegIn(own)].filter((preview) => preview !== undefined);
  // The directory of EXIF, which stands first in a TIFF of its own.
  const exif = canon.find(({ type }) => type === "CMT2")?.content;
  const isAdobeRgb = exif !== undefined && isAdobeRgbExif(exif, directoriesOf(exif)[0]);
  return { previews, orientation: orientation ?? 1, isAdobeRgb };
}

/** Content of a box `uuid` behind its name. */
function extended(among: ReturnType<typeof boxes>, name: string): Uint8Array {
  const isNamed = (content: Uint8Array) => Buffer.from(content.subarray(0, 16)).toString("hex") === name;
  return (
    among.find(({ type, content }) => type === "uuid" && isNamed(content))?.content.subarray(16) ?? new Uint8Array()
  );
}

/** A JPEG within a box, behind its sizes. */
function jpegIn(content: Uint8Array): Preview | undefined {
  const start = Buffer.from(content.buffer, content.byteOffset, content.byteLength).indexOf(
    "\xff\xd8\xff",
    0,
    "latin1",
  );
  return start > 0 ? jpegAt(content, start, content.length - start) : undefined;
}

/** The first sample of a track, where it is a JPEG. */
function trackSample(bytes: Uint8Array, track: Uint8Array): Preview | undefined {
  let content: Uint8Array | undefined = track;
  for (const name of ["mdia", "minf", "stbl"]) {
    content = content && boxes(content).find(({ type }) => type === name)?.content;
  }
  const tables = content ? boxes(content) : [];
  const table = (name: string) => {
    const found = tables.find(({ type }) => type === name)?.content;
    return found && new DataView(found.buffer, found.byteOffset, found.byteLength);
  };
  const [sizes, long, short] = [table("stsz"), table("co64"), table("stco")];
  if (!sizes || sizes.byteLength < 12) return undefined;
  const length = sizes.getUint32(4) || (sizes.byteLength >= 16 ? sizes.getUint32(12) : 0);
  const start =
    long && long.byteLength >= 16
      ? Number(long.getBigUint64(8))
      : short && short.byteLength >= 12
        ? short.getUint32(8)
        : 0;
  return jpegAt(bytes, start, length);
}

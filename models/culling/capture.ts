import readExif from "exif-reader";

/** When and with what a photograph was taken, as far as its EXIF tells. */
export interface Capture {
  /**
   * Milliseconds since 1970 in UTC where `hasOffset`; else of the camera's own clock, taken for UTC.
   */
  readonly at?: number;
  /** Whether the EXIF names the offset of the clock from UTC. */
  readonly hasOffset?: boolean;
  /** Make, model and serial number, as far as they are there. */
  readonly camera?: string;
}

/**
 * Reads DateTimeOriginal with SubSecTimeOriginal and OffsetTimeOriginal, make, model and serial number (EXIF 2.32, CIPA DC-008). What is
 * missing or makes no sense is left out: EXIF is written by many and checked by few.
 * @param exif as `sharp(…).metadata()` gives it
 */
export function captureOf(exif: Uint8Array | undefined): Capture {
  if (!exif) return {};
  let tags: Partial<Record<"Image" | "Photo", Record<string, unknown> | null>>;
  try {
    tags = readExif(Buffer.from(exif.buffer, exif.byteOffset, exif.byteLength)) as unknown as typeof tags;
  } catch {
    return {};
  }
  const photo = tags.Photo ?? {};
  const image = tags.Image ?? {};
  const camera = [image["Make"], image["Model"], photo["BodySerialNumber"] ?? image["CameraSerialNumber"]]
    .map(textOf)
    .filter(Boolean)
    .join(" ");
  return { ...timeOf(photo), ...(camera && { camera }) };
}

function timeOf(photo: Record<string, unknown>): Pick<Capture, "at" | "hasOffset"> {
  const date = photo["DateTimeOriginal"];
  const seconds = date instanceof Date ? date.getTime() : Number.NaN;
  // Cameras without a clock write 0000:00:00 or the first day of their calendar.
  if (!Number.isFinite(seconds) || seconds <= 0) return {};
  const fraction = /^\d+/.exec(textOf(photo["SubSecTimeOriginal"]))?.[0];
  const at = seconds + (fraction ? Math.round(1000 * Number(`0.${fraction}`)) : 0);
  const offset = /^([+-])(\d\d):(\d\d)$/.exec(textOf(photo["OffsetTimeOriginal"]));
  if (!offset) return { at };
  const minutes = Number(`${offset[1]}1`) * (60 * Number(offset[2]) + Number(offset[3]));
  return { at: at - 60_000 * minutes, hasOffset: true };
}

/** A tag as text without the zeros and spaces that fill it; bytes that are none are those of Latin 1. */
function textOf(value: unknown): string {
  const text =
    value instanceof Uint8Array
      ? Buffer.from(value).toString("latin1")
      : typeof value === "string" || typeof value === "number"
        ? String(value)
        : "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they fill tags
  return text.replace(/[\x00-\x1f]+/g, " ").trim();
}

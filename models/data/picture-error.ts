/**
 * Why a picture cannot be used.
 * - `missing`: there is no file at the path; `not-a-file`: it is a folder; `unreadable`: the system refuses to read it
 * - `empty`: no bytes; `not-a-picture`: no known picture format, or a damaged header
 * - `truncated`: the file ends before the picture does; `damaged`: the decoder complains about the data
 * - `too-large`: more pixels than allowed; `too-many-bytes`: a longer file than allowed; `too-costly`: decoding it takes more time or memory
 *   than allowed; `unsupported`: a known format that cannot be decoded here
 */
export type PictureReason = keyof typeof ADVICE;

const ADVICE = {
  missing: "Check the path and the folder the names are relative to.",
  "not-a-file": "Name a picture file, or pass the folder where a folder is expected.",
  unreadable: "Check the permissions of the file and that its disk is present.",
  empty: "Copy or download the file again.",
  "not-a-picture": "Check that the file is what its name says; JPEG, PNG, WebP, TIFF, GIF, AVIF and BMP can be read.",
  truncated: "Copy or download the file again; its end is missing.",
  damaged: "Re-save it in an image editor if it looks right there, or decode with strictness `error` or `truncated`.",
  "too-large": "Raise maxPixels if there is memory for it (3 bytes per pixel), or shrink the picture first.",
  "too-many-bytes": "Raise maxBytes if there is memory for it, or shrink the picture first.",
  "too-costly": "Save it again as a baseline JPEG or a smaller picture.",
  unsupported: "Convert it to JPEG, PNG, WebP or TIFF first.",
} as const;

/** A picture that cannot be decoded: which one, why, and what to do about it. */
export class PictureError extends Error {
  override name = "PictureError";
  readonly path: string;
  readonly reason: PictureReason;
  /** The decoder's or the system's own words. */
  readonly detail: string;
  /** What the owner of the picture can do. */
  readonly advice: string;

  constructor(path: string, reason: PictureReason, detail: string, options?: ErrorOptions) {
    super(`${path}: ${reason.replaceAll("-", " ")}. ${detail} ${ADVICE[reason]}`, options);
    this.path = path;
    this.reason = reason;
    this.detail = detail;
    this.advice = ADVICE[reason];
  }
}

// The decoders report in text only; the first pattern that fits names the reason.
const PATTERNS: readonly (readonly [RegExp, PictureReason])[] = [
  [/exceeds pixel limit|too large|dimensions? exceed/i, "too-large"],
  [/unsupported image format|bad magic|not a known file format|not in a known format|unable to load/i, "not-a-picture"],
  [/premature end of data segment|corrupt jpeg data/i, "damaged"],
  [
    /premature end|truncat|unexpected end|not enough data|end of file|\bEOF\b|read gave|out of order read/i,
    "truncated",
  ],
  [/not implemented|unsupported|no decoder|support for this compression/i, "unsupported"],
  [/header|has no image|cannot find image|invalid (?:image|jpeg) dimensions/i, "not-a-picture"],
];

/** Turns whatever the decoder threw into a `PictureError`; mistakes of the caller (RangeError, TypeError) pass as they are. */
export function pictureErrorFrom(path: string, error: unknown): Error {
  if (error instanceof PictureError || error instanceof RangeError || error instanceof TypeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const detail = [...new Set(message.split("\n").map((line) => line.trim()))].filter(Boolean).join("; ");
  const reason = PATTERNS.find(([pattern]) => pattern.test(message))?.[1] ?? "damaged";
  return new PictureError(path, reason, /[.!?]$/.test(detail) ? detail : `${detail}.`, { cause: error });
}

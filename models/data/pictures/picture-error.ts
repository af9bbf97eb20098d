import { expectNames } from "../../../engine/arguments.ts";

/**
 * Why a picture cannot be used.
 * - `missing`: there is no file at the path; `not-a-file`: it is a folder or a device; `unreadable`: the system refuses to read it
 * - `empty`: no bytes; `not-a-picture`: no known picture format, or a header that makes no sense
 * - `truncated`: the file ends before the picture does; `damaged`: pixels within it are missing or broken
 * - `too-large`: more pixels than allowed; `too-many-bytes`: a longer file than allowed; `too-costly`: decoding it takes more time or memory
 *   than allowed; `no-score`: the network made no finite numbers of it; `unsupported`: a known format that cannot be decoded here
 */
export type PictureReason = keyof typeof ADVICE;

/** Who is to follow an advice: a program, somebody at the command line, or a client of the service, who sets no options. */
export type Audience = "library" | "command line" | "service";

const ADVICE = {
  missing: "Check the path and the folder the names are relative to.",
  "not-a-file": "Name a picture file, or pass the folder where a folder is expected.",
  unreadable: "Check the permissions of the file and that its disk is present.",
  empty: "Copy or download the file again.",
  "not-a-picture":
    "Check that the file is what its name says; JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, HEIC and raw photographs can be read.",
  truncated: "Copy or download the file again; its end is missing.",
  damaged: {
    library: "Copy or download the file again, or decode what there is with strictness `error` or `truncated`.",
    "command line": "Copy or download the file again, or score what there is with --strictness error or truncated.",
    service: "Send it again from an undamaged copy.",
  },
  "too-large": {
    library: "Raise maxPixels if there is memory for it (3 bytes per pixel), or shrink the picture first.",
    "command line": "Raise --max-pixels if there is memory for it (3 bytes per pixel), or shrink the picture first.",
    service: "Shrink the picture first; whoever runs the service sets the limit (limits.maxPixels, --max-pixels).",
  },
  "too-many-bytes": {
    library: "Raise maxBytes if there is memory for it, or shrink the picture first.",
    "command line": "Shrink the picture first.",
    service: "Shrink the picture first; whoever runs the service sets the limit (limits.maxBodyBytes, --max-body).",
  },
  "too-costly": "Save it again as a baseline JPEG or a smaller picture.",
  "no-score": "Try other pictures: when they fail, too, the model's weights are damaged or its training went wrong.",
  unsupported: "Convert it to JPEG, PNG, WebP or TIFF first.",
} as const satisfies Record<string, string | Readonly<Record<Audience, string>>>;

export interface PictureErrorOptions extends ErrorOptions {
  /** Instead of the advice that belongs to the reason. */
  readonly advice?: string;
}

const names = { advice: true, cause: true } satisfies Record<keyof PictureErrorOptions, true>;

/** A picture that cannot be decoded: which one, why, and what to do about it. */
export class PictureError extends Error {
  /** Whose options the advice of this process names. */
  static audience: Audience = "library";

  override name = "PictureError";
  readonly path: string;
  readonly reason: PictureReason;
  /** What was found, in a sentence. */
  readonly detail: string;
  /** What the owner of the picture can do. */
  readonly advice: string;
  readonly #given: string | undefined;

  constructor(path: string, reason: PictureReason, detail: string, options: PictureErrorOptions = {}) {
    expectNames("PictureError", options, names);
    const { advice, ...rest } = options;
    const followed = advice ?? adviceOn(reason, PictureError.audience);
    super(`${path}: ${reason.replaceAll("-", " ")}. ${detail} ${followed}`, rest);
    this.path = path;
    this.reason = reason;
    this.detail = detail;
    this.advice = followed;
    this.#given = advice;
  }

  /** The advice in words of another audience's options. */
  adviceTo(audience: Audience): string {
    return this.#given ?? adviceOn(this.reason, audience);
  }
}

/** What to do about a picture that fails for a reason, in words of the audience's own options. */
export function adviceOn(reason: PictureReason, audience: Audience): string {
  const advice = ADVICE[reason];
  return typeof advice === "string" ? advice : advice[audience];
}

/** Detail of a picture with too many pixels. */
export function pixelWords(width: number, height: number, limit: number): string {
  const [pixels, most] = [width * height, limit].map((count) => count.toLocaleString("en"));
  return `It has ${width} x ${height} = ${pixels} pixels; the limit is ${most}.`;
}

/** What a decoder or a system threw, in a sentence. */
export function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const words = [...new Set(message.split("\n").map((line) => line.trim()))].filter(Boolean).join("; ");
  return /[.!?]$/.test(words) ? words : `${words}.`;
}

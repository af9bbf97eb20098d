import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { expectNames } from "../../engine/arguments.ts";
import { insteadOfFile } from "../../engine/file-kind.ts";
import { onDisk } from "../data/files/file-name.ts";
import { reasonOf } from "../data/files/reason-of.ts";
import { type DecodeOptions, decode, type Picture, PictureError, type PictureReason } from "../data/index.ts";
import type { DecoderPool } from "../data/pictures/decoding/pool.ts";
import { pictureFailure } from "../scoring/picture-failure.ts";
import type { Scorer } from "../scoring/scorer.ts";
import { type Capture, captureOf } from "./capture.ts";
import { lookAt } from "./look.ts";
import type { CullScore, SeenPicture } from "./picture.ts";

export interface SeeOptions extends Pick<DecodeOptions, "background" | "maxPixels" | "strictness"> {
  /** Scores the picture. @default no score */
  readonly scorer?: Pick<Scorer, "score">;
  /** Name in results and errors. @default the path, or `(bytes)` */
  readonly name?: string;
  readonly signal?: AbortSignal;
  /** Decodes in processes of its own. @default this process decodes */
  readonly decoderPool?: DecoderPool;
  /** Who asks the pool, by any name. */
  readonly client?: string;
  /** Gets the decoded picture, a large one halved, for a small copy of it. */
  readonly onPicture?: (picture: Picture) => Promise<void>;
}

const names = {
  background: true,
  maxPixels: true,
  strictness: true,
  scorer: true,
  name: true,
  signal: true,
  decoderPool: true,
  client: true,
  onPicture: true,
} satisfies Record<keyof SeeOptions, true>;

/** Longest file that is read, bytes. */
const mostBytes = 2 ** 28;

/** Shorter side down to which large pictures are halved before they are looked at, pixels. */
const shownSide = 1000;

/**
 * Sees a picture as culling needs it: of its pixels 2 kB stay. Large ones are looked at in a copy of at least 1000 pixels; a scorer sees the whole.
 * @param source the path of a file, or its bytes
 * @throws PictureError as `decode` and `Scorer.score` do; the signal's reason
 */
export async function seePicture(source: string | Uint8Array, options: SeeOptions = {}): Promise<SeenPicture> {
  expectNames("seePicture", options, names);
  const { scorer, signal } = options;
  const seen = await lookInto(source, options);
  if (!scorer) return seen;
  signal?.throwIfAborted();
  return { ...seen, scored: await scoreForCulling(scorer, source, { ...options, name: seen.name }) };
}

/** All of {@link seePicture} but the score. */
export async function lookInto(source: string | Uint8Array, options: SeeOptions): Promise<SeenPicture> {
  const { signal, onPicture } = options;
  const name = options.name ?? (typeof source === "string" ? source : "(bytes)");
  const bytes = typeof source === "string" ? await readPicture(source, name) : source;
  signal?.throwIfAborted();
  const { capture, size } = await headerOf(bytes);
  const look = await decoded(bytes, name, options, async (picture) => {
    const [look] = await Promise.all([lookAt(picture, size), onPicture?.(picture)]);
    return look;
  });
  const digest = createHash("sha256").update(bytes).digest("hex");
  return { name, look, capture, digest };
}

/** Decodes a picture, a large one halved, and hands it over. */
async function decoded<T>(
  bytes: Uint8Array,
  name: string,
  { background, maxPixels, strictness, decoderPool, signal, client }: SeeOptions,
  use: (picture: Picture) => Promise<T>,
): Promise<T> {
  const options = { name, background, maxPixels, strictness, shrinkToShorterSide: shownSide };
  if (!decoderPool) return use(await decode(bytes, options));
  const asked = { ...(signal && { signal }), ...(client !== undefined && { client }) };
  return decoderPool.decode(bytes, options, use, asked).catch((error) => {
    throw signal?.aborted ? error : pictureFailure(name, error);
  });
}

/** The score of a picture as culling uses it. @throws as `Scorer.score` does */
export async function scoreForCulling(
  scorer: Pick<Scorer, "score">,
  source: string | Uint8Array,
  options: Pick<SeeOptions, "name" | "signal"> = {},
): Promise<CullScore> {
  const { name, signal } = options;
  const asked = { ...(name !== undefined && { name }), ...(signal && { signal }) };
  const { score, range, interval, reasons, typicality } = await scorer.score(source, asked);
  return {
    score,
    range,
    ...(interval && { interval }),
    ...(reasons && { reasons }),
    ...(typicality && { typicality }),
  };
}

/** The bytes of a file. @throws PictureError when it cannot be read */
export async function readPicture(path: string, name: string): Promise<Uint8Array> {
  const other = await insteadOfFile(onDisk(path));
  if (other) throw new PictureError(name, "not-a-file", `It is ${other}.`);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(onDisk(path));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const reasons: Record<string, PictureReason> = { ENOENT: "missing", ENOTDIR: "missing", EISDIR: "not-a-file" };
    const words = reasonOf(cause);
    const detail = `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
    throw new PictureError(name, reasons[code] ?? "unreadable", detail, { cause });
  }
  if (bytes.length > mostBytes) throw new PictureError(name, "too-many-bytes", `It has ${bytes.length} bytes.`);
  return bytes;
}

interface Header {
  readonly capture: Capture;
  /** Pixels, upright. */
  readonly size?: { readonly width: number; readonly height: number };
}

async function headerOf(bytes: Uint8Array): Promise<Header> {
  try {
    const { exif, autoOrient } = await sharp(bytes, { failOn: "none", limitInputPixels: false }).metadata();
    return { capture: captureOf(exif), size: autoOrient };
  } catch {
    // A format that sharp does not read has no EXIF that could be read, either; what is broken the decoder says.
    return { capture: {} };
  }
}

import type { Readable } from "node:stream";
import type { Sharp } from "sharp";
import { filePath } from "../../engine/host/files.ts";
import { isPipeline } from "../data/pictures/decode.ts";
import { PictureError } from "../data/pictures/picture-error.ts";
import { whenAborted } from "../data/prefetch.ts";

/**
 * A picture to be scored: the path or `file:` URL of a file (a string, or an URL), its bytes, a Blob or File, a Response with it as body, a stream of
 * its bytes (web or node), or a pipeline of sharp, whose result is taken.
 */
export type PictureSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Sharp;

/** A picture in a form that can be decoded any number of times. */
export interface OpenedPicture {
  /** Stands for the picture in errors. */
  readonly name: string;
  /** A path, the bytes of a file, a handle that gives them, or a pipeline. */
  readonly content: string | Uint8Array | Blob | Sharp;
}

export interface OpenPictureOptions {
  /** Bodies and streams that are longer are refused, bytes. */
  readonly maxBytes: number;
  /** Stands for the picture in errors. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

/**
 * Reads bodies and streams, which can be read only once, into memory.
 * @throws PictureError "unreadable" when the body fails or the response is not a success, "too-many-bytes" when it is longer
 * than allowed; TypeError for anything that is no {@link PictureSource}; the signal's reason
 */
export async function openPicture(source: PictureSource, options: OpenPictureOptions): Promise<OpenedPicture> {
  const { name = nameOf(source) } = options;
  if (typeof source === "string") return { name, content: pathOf(source, name) };
  if (source instanceof Uint8Array) return { name, content: source };
  if (source instanceof URL) {
    if (source.protocol === "file:") return { name, content: filePath(source) };
    throw new TypeError(`${source} is not a file: URL; fetch it and pass the Response`);
  }
  if (source instanceof ArrayBuffer) return { name, content: new Uint8Array(source) };
  if (source instanceof Blob) {
    if (source.size > options.maxBytes) throw tooLong(name, options.maxBytes);
    return { name, content: source };
  }
  if (isPipeline(source)) return { name, content: source };
  if (source instanceof Response) {
    if (!source.ok) {
      source.body?.cancel().catch(() => {});
      throw new PictureError(name, "unreadable", `The server answered ${source.status}.`);
    }
    if (!source.body) throw new PictureError(name, "empty", "The response has no body.");
    return { name, content: await readStream(source.body, name, options) };
  }
  if (typeof source === "object" && source !== null && Symbol.asyncIterator in source) {
    return { name, content: await readStream(source, name, options) };
  }
  const kind = source === null ? "null" : typeof source;
  throw new TypeError(
    `a picture is a path, URL, Uint8Array, ArrayBuffer, Blob, Response, stream of bytes or sharp pipeline; got ${kind}`,
  );
}

/** The bytes of a picture, or what stands for it, for the decoder. @throws PictureError when they cannot be read */
export async function contentOf({ name, content }: OpenedPicture): Promise<string | Uint8Array | Sharp> {
  if (!(content instanceof Blob)) return content;
  try {
    return new Uint8Array(await content.arrayBuffer());
  } catch (cause) {
    throw new PictureError(name, "unreadable", messageOf(cause), { cause });
  }
}

type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

interface Reader {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  /** Tells the source, also in the middle of a read, that nobody wants more; it is not waited for. */
  cancel(): void;
}

function readerOf(stream: ByteStream): Reader {
  if (stream instanceof ReadableStream) {
    const reader = stream.getReader();
    return { next: () => reader.read(), cancel: () => void reader.cancel().catch(() => {}) };
  }
  const iterator = stream[Symbol.asyncIterator]();
  const cancel = () => {
    // An iterator hears of its end when the read in hand is done, which may be never; a stream of node at once.
    (stream as Partial<Readable>).destroy?.();
    Promise.resolve(iterator.return?.()).catch(() => {});
  };
  return { next: () => iterator.next(), cancel };
}

/** The path that a text is or that a `file:` URL names. @throws PictureError "not-a-file" for another URL */
function pathOf(text: string, name: string): string {
  const [, scheme = ""] = /^(?:([a-z][a-z\d+.-]+):\/\/|(data|blob):)/i.exec(text)?.filter(Boolean) ?? [];
  if (!scheme) return text;
  if (scheme.toLowerCase() !== "file") {
    throw new PictureError(name, "not-a-file", "It is a URL, and files of this machine are read here.", {
      advice: "Download it first, or give the Response: scorer.score(await fetch(url)).",
    });
  }
  try {
    return filePath(text);
  } catch (cause) {
    throw new PictureError(name, "not-a-file", `No file of this machine has this URL: ${messageOf(cause)}`, { cause });
  }
}

/** Letters of a name that stand in an error, when it is the whole picture as a `data:` URL. */
const nameLength = 100;

function nameOf(source: PictureSource): string {
  if (typeof source === "string") {
    return /^data:/i.test(source) && source.length > nameLength ? `${source.slice(0, nameLength)}…` : source;
  }
  if (source instanceof URL) return source.href;
  if (source instanceof Response) return source.url || "(response)";
  if (source instanceof Blob) return (source as Partial<File>).name ?? "(blob)";
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return "(bytes)";
  return isPipeline(source) ? "(sharp)" : "(stream)";
}

async function readStream(stream: ByteStream, name: string, options: OpenPictureOptions): Promise<Uint8Array> {
  const { maxBytes, signal } = options;
  const reader = readerOf(stream);
  const aborted = signal && whenAborted(signal);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const next = async () => {
    try {
      return await reader.next();
    } catch (cause) {
      throw new PictureError(name, "unreadable", messageOf(cause), { cause });
    }
  };
  try {
    for (;;) {
      const { done, value } = await (aborted ? Promise.race([aborted.promise, next()]) : next());
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new TypeError(`${name}: a stream of bytes gives Uint8Array chunks`);
      length += value.byteLength;
      if (length > maxBytes) throw tooLong(name, maxBytes);
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel();
    throw error;
  } finally {
    aborted?.release();
  }
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function tooLong(name: string, maxBytes: number): PictureError {
  return new PictureError(name, "too-many-bytes", `It has more than ${maxBytes} bytes.`);
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

import type { z } from "@hono/zod-openapi";
import { getMultipartBoundary, MultipartParser, type MultipartPart } from "@remix-run/multipart-parser";
import type { Place } from "./admission.ts";
import { announcedBytes, chunksOf, type ReadOptions, wholeOf } from "./body.ts";
import { Problem } from "./problem.ts";
import { urlSchema, urlsSchema } from "./schemas.ts";

/** A picture of a request. */
export interface SentPicture {
  /** Its file name, its URL, or a number where it has none. */
  readonly name: string;
  /** Its bytes, or where they lie. */
  readonly content: Uint8Array | URL;
  /** Bytes that are held for it in the request's place. */
  readonly heldBytes: number;
  /** The request is about it and no other: what is wrong with it is wrong with the request. */
  readonly isAlone: boolean;
}

/** What a body is: one picture, a form of them, JSON that names them, or a line of JSON for each. */
export type BodyKind = "picture" | "form" | "urls" | "lines";

const mediaTypes: Readonly<Record<BodyKind, readonly string[]>> = {
  picture: ["image/*", "application/octet-stream"],
  form: ["multipart/form-data"],
  urls: ["application/json"],
  lines: ["application/x-ndjson"],
};

/** @throws Problem 415 when the body is of none of these kinds */
export function kindOf(request: Request, accepted: readonly BodyKind[]): BodyKind {
  const type = request.headers.get("content-type") ?? "";
  const essence = type.split(";")[0]!.trim().toLowerCase();
  const isOf = (known: string) => (known.endsWith("*") ? essence.startsWith(known.slice(0, -1)) : essence === known);
  const kind = accepted.find((each) => mediaTypes[each].some(isOf));
  if (kind) return kind;
  const types = accepted.flatMap((each) => mediaTypes[each]).join(", ");
  const detail = type ? `The body is ${type}.` : "The body has no content type.";
  throw new Problem(415, "media-type", detail, { advice: `Send ${types}.`, headers: { "accept-post": types } });
}

/** Bytes that a body which only names pictures may have. */
const mostNameBytes = 2 ** 20;

/**
 * The pictures of a body, each as soon as it has come; the body is read as they are asked for.
 * @throws Problem 413 for too many, 422 for a body without pictures or with something else, 400 for one that cannot be read; as
 * {@link chunksOf}
 */
export async function* sentPictures(
  request: Request,
  kind: BodyKind,
  place: Place,
  options: ReadOptions,
): AsyncGenerator<SentPicture, void, undefined> {
  const { limits } = options;
  const isNames = kind === "urls" || kind === "lines";
  const maxBodyBytes = isNames ? Math.min(mostNameBytes, limits.maxBodyBytes) : limits.maxBodyBytes;
  const announced = announcedBytes(request, maxBodyBytes);
  const chunks = chunksOf(request, { ...options, limits: { ...limits, maxBodyBytes } });
  let count = 0;
  for await (const picture of reading[kind]({ chunks, announced, request, place })) {
    if (++count > limits.maxPictures) {
      const detail = `The request has more than ${limits.maxPictures} pictures.`;
      throw new Problem(413, "too-many-pictures", detail, { advice: "Send them in several requests." });
    }
    yield picture;
  }
  if (count === 0) throw new Problem(422, "no-picture", "The request has no picture.");
}

interface Body {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes that it should have, 0 when it is not known. */
  readonly announced: number;
  readonly request: Request;
  readonly place: Place;
}

const reading: Readonly<Record<BodyKind, (body: Body) => AsyncIterable<SentPicture>>> = {
  async *picture({ chunks, announced, place }) {
    const content = await wholeOf(chunks, announced, place.room);
    yield { name: "picture", content, heldBytes: content.buffer.byteLength, isAlone: true };
  },

  async *form({ chunks, request, place }) {
    const boundary = getMultipartBoundary(request.headers.get("content-type") ?? "");
    if (!boundary) throw brokenForm();
    // The body's own limits are stricter than these.
    const unlimited = { maxFileSize: Number.POSITIVE_INFINITY, maxTotalSize: Number.POSITIVE_INFINITY };
    const parser = new MultipartParser(boundary, { ...unlimited, maxParts: Number.POSITIVE_INFINITY });
    let count = 0;
    for await (const chunk of chunks) {
      // What follows the last boundary belongs to no part (RFC 2046, the epilogue).
      if (hasEnded(parser)) continue;
      await place.room(chunk.byteLength);
      const parts = parser.write(chunk);
      for (let part = nextOf(parts); part; part = nextOf(parts)) yield fileOf(part, count++);
    }
    if (!hasEnded(parser)) throw brokenForm();
  },

  async *urls({ chunks, place }) {
    const body = parsed(urlsSchema, new TextDecoder().decode(await wholeOf(chunks, 0, place.room)), "The body");
    if ("url" in body) yield named(body.url, true);
    else for (const url of body.urls) yield named(url, false);
  },

  async *lines({ chunks }) {
    let number = 0;
    for await (const line of linesIn(chunks)) {
      number++;
      if (line.trim()) yield named(parsed(urlSchema, line, `Line ${number}`).url, false);
    }
  },
};

function named(url: string, isAlone: boolean): SentPicture {
  return { name: url, content: new URL(url), heldBytes: 0, isAlone };
}

/** @throws Problem 422 for a part that is no file, 400 for one whose header cannot be read */
function fileOf(part: MultipartPart, index: number): SentPicture {
  const { name, filename, isFile } = headerOf(part);
  if (!isFile) {
    throw new Problem(422, "not-a-file", `The field ${JSON.stringify(name)} of the form is no file.`, {
      advice: "Send pictures as files, in fields of any name, and options in the query.",
    });
  }
  const [only = new Uint8Array()] = part.content;
  const content = part.content.length <= 1 ? only : part.bytes;
  return { name: filename || String(index), content, heldBytes: part.size, isAlone: false };
}

function headerOf(part: MultipartPart) {
  try {
    const { name = "", filename, isFile } = part;
    return { name, filename, isFile };
  } catch (cause) {
    throw brokenForm(cause);
  }
}

function nextOf(parts: Iterator<MultipartPart>): MultipartPart | undefined {
  try {
    return parts.next().value;
  } catch (cause) {
    throw brokenForm(cause);
  }
}

/** Whether the parser has seen the last boundary; it tells in no other way. */
function hasEnded(parser: MultipartParser): boolean {
  try {
    parser.finish();
    return true;
  } catch {
    return false;
  }
}

function brokenForm(cause?: unknown): Problem {
  return new Problem(400, "broken-form", "The form cannot be read: its parts or its boundary are damaged.", { cause });
}

async function* linesIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  yield rest + decoder.decode();
}

/** @throws Problem 422 when the text is no JSON of that form */
function parsed<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem(422, "not-json", `${what} is no JSON.`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Problem(
    422,
    "not-urls",
    `${what} is not of the form {"url": "https://…"}${schema === (urlsSchema as unknown) ? ' or {"urls": ["https://…"]}' : ""}.`,
  );
}

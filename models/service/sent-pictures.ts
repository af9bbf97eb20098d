import type { z } from "@hono/zod-openapi";
import type { Place } from "./admission.ts";
import { announcedBytes, chunksOf, type ReadOptions, wholeOf } from "./body.ts";
import { boundaryOf, MultipartError, MultipartParser, type Part } from "./multipart.ts";
import { readPartHeader } from "./part-header.ts";
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

/** Types that say that a body is something else than a picture. All others say nothing: its bytes do. */
const otherwise =
  /^(text|multipart|audio|video|font|message|model)\/|^application\/(.+\+)?(json|xml|yaml|x-ndjson|pdf|zip|gzip|javascript)$/;

/** @throws Problem 415 when the body is of none of these kinds */
export function kindOf(request: Request, accepted: readonly BodyKind[]): BodyKind {
  const type = request.headers.get("content-type") ?? "";
  const essence = essenceOf(type);
  const kind = accepted.find((each) => each !== "picture" && mediaTypes[each].includes(essence));
  if (kind) return kind;
  if (accepted.includes("picture") && !otherwise.test(essence)) return "picture";
  const types = accepted.flatMap((each) => mediaTypes[each]).join(", ");
  throw new Problem(415, "media-type", `The body is ${type}.`, {
    advice: `Send ${types}.`,
    headers: { "accept-post": types },
  });
}

function essenceOf(type: string): string {
  return type.split(";")[0]!.trim().toLowerCase();
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
    let count = 0;
    try {
      const parser = new MultipartParser(boundaryOf(request.headers.get("content-type") ?? ""));
      for await (const chunk of chunks) {
        // What follows the last boundary belongs to no part (RFC 2046, the epilogue).
        if (!parser.hasEnded) await place.room(chunk.byteLength);
        for (const part of parser.write(chunk)) {
          const picture = fileOf(part, count);
          if (picture) count++;
          if (picture) yield picture;
        }
      }
      if (!parser.hasEnded) throw new MultipartError("Its last boundary is missing.");
    } catch (error) {
      if (!(error instanceof MultipartError)) throw error;
      throw new Problem(400, "broken-form", `The form cannot be read. ${error.message}`, { cause: error });
    }
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

/**
 * The picture that a part is; undefined for a file field that was left empty.
 * @throws Problem 422 for a part that is no file
 */
function fileOf({ header, content }: Part, index: number): SentPicture | undefined {
  const { name, filename, type } = readPartHeader(header);
  if (filename === undefined && !/^image\/|^(application|binary)\/octet-stream$/.test(type)) {
    throw new Problem(422, "not-a-file", `The field ${JSON.stringify(name)} of the form is no file.`, {
      advice: "Send pictures as files, in fields of any name, and options in the query.",
    });
  }
  if (filename === "" && content.byteLength === 0) return undefined;
  return { name: filename || String(index), content, heldBytes: content.byteLength, isAlone: false };
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

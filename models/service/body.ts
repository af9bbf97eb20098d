import { setTimeout as sleep } from "node:timers/promises";
import type { Limits } from "./options.ts";
import { Problem } from "./problem.ts";

/** A picture of a request. */
export interface SentPicture {
  /** Its file name, or a number where it has none. */
  readonly name: string;
  readonly content: Uint8Array | Blob;
}

/**
 * The whole body.
 * @param hold told of the bytes that it needs, as soon as they are known; may refuse them
 * @throws Problem 413 when it is too long, 408 when it comes too slowly, 400 when it breaks off; what `hold` throws
 */
export async function readBody(
  request: Request,
  { maxBodyBytes, bodySeconds }: Limits,
  hold: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(request.headers.get("content-length")) || 0;
  if (announced > maxBodyBytes) throw tooLong(maxBodyBytes);
  hold(announced);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  const timer = new AbortController();
  const late = sleep(1000 * bodySeconds, "late" as const, { signal: timer.signal });
  late.catch(() => {});
  try {
    for (;;) {
      const next = await Promise.race([reader.read().catch(brokenOff), late]);
      if (next === "late") {
        throw new Problem(408, "slow-body", `The body did not arrive within ${bodySeconds} s.`, closing);
      }
      if (next.done) break;
      length += next.value.byteLength;
      if (length > maxBodyBytes) throw tooLong(maxBodyBytes);
      if (length > announced) hold(length);
      chunks.push(next.value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    timer.abort();
  }
  return new Uint8Array(Buffer.concat(chunks, length));
}

/**
 * The pictures of a body: all files of a form, or the body itself.
 * @throws Problem 415 for other media types; 422 for a form without files or with a field that is none; 400 for a form that
 * cannot be read; 413 for too many
 */
export async function picturesOf(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  { maxPictures }: Limits,
): Promise<{ readonly pictures: readonly SentPicture[]; readonly isForm: boolean }> {
  const type = request.headers.get("content-type") ?? "";
  if (!isForm(type)) return { pictures: [{ name: "picture", content: body }], isForm: false };
  let form: Awaited<ReturnType<Response["formData"]>>;
  try {
    form = await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (cause) {
    throw new Problem(400, "broken-form", "The form cannot be read: its parts or its boundary are damaged.", { cause });
  }
  const pictures: SentPicture[] = [];
  for (const [field, value] of form) {
    if (typeof value === "string") {
      throw new Problem(422, "not-a-file", `The field ${JSON.stringify(field)} of the form is no file.`, {
        advice: "Send pictures as files, in fields of any name, and options in the query.",
      });
    }
    pictures.push({ name: value.name || String(pictures.length), content: value });
  }
  if (pictures.length === 0) throw new Problem(422, "no-picture", "The form has no file.");
  if (pictures.length > maxPictures) {
    const detail = `The form has ${pictures.length} pictures; at most ${maxPictures} may be sent at once.`;
    throw new Problem(413, "too-many-pictures", detail, { advice: "Send them in several requests." });
  }
  return { pictures, isForm: true };
}

/** @throws Problem 415 when a body of this type cannot have pictures */
export function expectPictures(request: Request, formsToo: boolean): void {
  const type = request.headers.get("content-type") ?? "";
  if (/^(image\/|application\/octet-stream)/i.test(type) || (formsToo && isForm(type))) return;
  const accepted = ["image/*", "application/octet-stream", ...(formsToo ? ["multipart/form-data"] : [])].join(", ");
  const detail = type ? `The body is ${type}.` : "The body has no content type.";
  throw new Problem(415, "media-type", detail, { advice: `Send ${accepted}.`, headers: { "accept-post": accepted } });
}

function isForm(type: string): boolean {
  return /^multipart\/form-data/i.test(type);
}

/** The rest of the body is not read, so the connection cannot go on. */
const closing = { headers: { connection: "close" } };

function tooLong(maxBodyBytes: number): Problem {
  return new Problem(413, "body-too-long", `The body has more than ${maxBodyBytes} bytes.`, closing);
}

function brokenOff(cause: unknown): never {
  throw new Problem(400, "broken-body", "The body broke off.", { cause });
}

import { z } from "@hono/zod-openapi";
import { GpuError } from "../../engine/device/errors.ts";
import { PictureError, type PictureReason } from "../data/index.ts";
import { DecoderBusyError } from "../data/pictures/decoding/errors.ts";
import { ScorerClosedError } from "../scoring/scorer.ts";

/** A problem document (RFC 9457), media type `application/problem+json`. */
export const problemSchema = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.string().openapi({ description: "What kind of problem it is, for programs", example: "queue-full" }),
    detail: z.string(),
    advice: z.string().optional().openapi({ description: "What can be done about it" }),
  })
  .openapi("Problem");

export type ProblemDocument = z.infer<typeof problemSchema>;

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Why a request is not answered with scores. */
export class Problem extends Error {
  override name = "Problem";
  readonly document: ProblemDocument;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: keyof typeof titles,
    code: string,
    detail: string,
    { advice, headers = {}, cause }: { advice?: string; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause });
    this.document = {
      type: "about:blank",
      title: titles[status]!,
      status,
      code,
      detail,
      ...(advice && { advice }),
    };
    this.headers = headers;
  }

  get status(): number {
    return this.document.status;
  }

  response(): Response {
    const headers = { "content-type": "application/problem+json", ...this.headers };
    return new Response(JSON.stringify(this.document), { status: this.status, headers });
  }
}

const pictureStatus: Readonly<Record<PictureReason, number>> = {
  "too-large": 413,
  "too-many-bytes": 413,
  "not-a-picture": 415,
  unsupported: 415,
  empty: 422,
  "too-costly": 422,
  truncated: 422,
  damaged: 422,
  missing: 422,
  "not-a-file": 422,
  unreadable: 422,
  "no-score": 422,
};

/** Whatever was thrown while a request was answered, as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof PictureError) {
    const { reason, detail } = error;
    return new Problem(pictureStatus[reason], reason, detail, { advice: error.adviceTo("service"), cause: error });
  }
  if (error instanceof DecoderBusyError) {
    return unavailable("decoders-busy", "Too many pictures that take long to decode wait.", error);
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return unavailable("timeout", "The pictures were not scored in the time allowed.", error);
  }
  if (error instanceof DOMException && error.name === "AbortError") {
    return new Problem(400, "client-gone", "The client went away.", { cause: error });
  }
  if (error instanceof ScorerClosedError) return unavailable("closing", "The service is being shut down.", error);
  if (error instanceof GpuError) return unavailable("device", "The GPU device failed.", error);
  return new Problem(500, "internal", "The service failed; its log says more.", { cause: error });
}

function unavailable(code: string, detail: string, cause: unknown): Problem {
  return new Problem(503, code, detail, { advice: "Send it again later.", headers: { "retry-after": "2" }, cause });
}

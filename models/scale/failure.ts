import { PictureError, type PictureReason } from "../data/pictures/picture-error.ts";
import { Problem } from "../service/problem.ts";
import { redacted } from "./redact.ts";

/** What is to be done about a picture that has no score. */
export interface Failure {
  /** In a word. */
  readonly reason: string;
  /** In a sentence, without credentials. */
  readonly error: string;
  /**
   * `content`: the same bytes fail again, and the store keeps that. `picture`: nothing that waiting mends, such as a file that is not
   * there. `passing`: it may go the next time.
   */
  readonly kind: "content" | "picture" | "passing";
}

/** Errors that are of the content: the same bytes have them again. */
const ofContent: readonly PictureReason[] = [
  "empty",
  "not-a-picture",
  "truncated",
  "damaged",
  "unsupported",
  "no-score",
];

/** Answers of a server that another try may change. */
const passingStatus = [401, 407, 408, 421, 423, 425, 429];

/** What an error says of a picture. */
export function failureOf(error: unknown): Failure {
  if (error instanceof PictureError) {
    const { reason, detail } = error;
    const kind = ofContent.includes(reason) ? "content" : reason === "unreadable" ? "passing" : "picture";
    return { reason, error: redacted(detail), kind };
  }
  if (error instanceof Problem) {
    const { code, detail } = error.document;
    const status = Number((error.cause as { status?: unknown } | undefined)?.status ?? Number.NaN);
    const isFinal = status >= 400 && status < 500 && !passingStatus.includes(status);
    return { reason: code, error: redacted(detail), kind: code === "url-failed" && !isFinal ? "passing" : "picture" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { reason: "failed", error: redacted(message.split("\n")[0]!), kind: "passing" };
}

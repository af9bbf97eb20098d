import type { DecodeOptions } from "../decode.ts";
import { adviceOn, PictureError, type PictureReason } from "../picture-error.ts";

/** What a decoding process is asked: what a picture, whose bytes follow, will cost; or its pixels, once that was asked. */
export type Question = { readonly ask: "cost"; readonly options: DecodeOptions } | { readonly ask: "pixels" };

/** What it answers; pixels follow. */
export type Answer =
  | { readonly is: "ready" }
  | { readonly is: "cost"; readonly cost: number }
  | { readonly is: "pixels"; readonly width: number; readonly height: number }
  | {
      readonly is: "refused";
      readonly path: string;
      readonly reason: PictureReason;
      readonly detail: string;
      /** Where it is another than that of the reason, whose words the audience decides. */
      readonly advice?: string;
    }
  | { readonly is: "failed"; readonly name: string; readonly message: string };

/** An error as an answer. */
export function answerOf(error: unknown): Answer {
  if (error instanceof PictureError) {
    const { path, reason, detail, advice } = error;
    const isOwn = advice !== adviceOn(reason, PictureError.audience);
    return { is: "refused", path, reason, detail, ...(isOwn && { advice }) };
  }
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return { is: "failed", name, message };
}

/** The error that an answer stands for. */
export function errorOf(answer: Extract<Answer, { is: "refused" | "failed" }>): Error {
  if (answer.is === "refused") {
    const { path, reason, detail, advice } = answer;
    return new PictureError(path, reason, detail, advice === undefined ? {} : { advice });
  }
  if (answer.name === "RangeError") return new RangeError(answer.message);
  if (answer.name === "TypeError") return new TypeError(answer.message);
  return new Error(answer.message);
}

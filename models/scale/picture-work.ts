import { createHash } from "node:crypto";
import type { PictureError } from "../data/pictures/picture-error.ts";
import type { Scorer } from "../scoring/scorer.ts";
import type { StoredResult } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import { type Failure, failureOf } from "./failure.ts";
import type { Budget } from "./gates.ts";
import type { PictureReader } from "./reader.ts";
import type { GroupedWrites } from "./results.ts";
import type { Results } from "./shared-results.ts";

/** What became of a picture of a job. */
export type Outcome =
  | { readonly picture: string; readonly score: number; readonly stored: boolean }
  | { readonly picture: string; readonly failure: Failure };

/** What pictures are scored with. */
export interface Tools {
  readonly scorer: Scorer;
  readonly reader: PictureReader;
  readonly results: Results;
  readonly writes: GroupedWrites;
  /** Number of the scorer in the store. */
  readonly number: number;
  readonly budget: Budget;
  readonly signal: AbortSignal;
}

/** Bytes that are set aside for a picture whose size is told when it comes. */
const unknownBytes = 16 * 2 ** 20;

/**
 * Scores one picture, or takes its result from the store: of a file that is as it was when it was read, else of the same content. The bytes
 * that are hashed are those that are scored, and a result is in the store when this resolves.
 * @throws StoreError; the signal's reason. What is wrong with the picture is its outcome
 */
export async function scoreOne(picture: string, tools: Tools): Promise<Outcome> {
  const { scorer, reader, results, writes, number, budget, signal } = tools;
  let located: ReturnType<PictureReader["locate"]> | undefined;
  try {
    located = reader.locate(picture);
    const { path, state } = located;
    const known = state && (await results.content(path, state));
    const before = known && (await results.result(number, known));
    if (before) return outcomeOf(picture, before);
    using _ = await budget.take(state?.size ?? unknownBytes);
    signal.throwIfAborted();
    const read = await reader.read(picture, located, signal);
    const content = new Uint8Array(createHash("sha256").update(read.bytes).digest());
    const file = { path, state: read.state, content };
    const kept = await results.result(number, content);
    if (kept) {
      await results.noteFile(file);
      return outcomeOf(picture, kept);
    }
    const found = await scorer.score(read.bytes, { name: picture, signal }).then(
      ({ histogram: _, milliseconds: __, ...score }): StoredResult => score,
      (error: unknown) => {
        const failure = failureOf(error);
        if (failure.kind !== "content" || signal.aborted) throw error;
        return { reason: failure.reason as PictureError["reason"], error: failure.error };
      },
    );
    await writes.put(file, found);
    return { ...outcomeOf(picture, found), ...("score" in found && { stored: false }) };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    signal.throwIfAborted();
    const failure = failureOf(error);
    await results.noteUnread(located?.path ?? picture, located?.state, failure.error);
    return { picture, failure };
  }
}

function outcomeOf(picture: string, result: StoredResult): Outcome {
  if ("score" in result) return { picture, score: result.score, stored: true };
  return { picture, failure: { reason: result.reason, error: result.error, kind: "content" } };
}

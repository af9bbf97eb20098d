import { percentiles } from "../metrics/percentile.ts";
import { type ReferenceFacts, referencePercentile } from "../trust/reference.ts";
import type { Answer } from "./work.ts";

/** An answer with the place of each score among those of the request, and in the reference that the model carries, where it does. */
export function withPercentiles(answer: Answer, reference: ReferenceFacts | undefined): Answer {
  const places = percentiles(answer.pictures.flatMap((row) => ("score" in row ? [row.score] : [])));
  let next = 0;
  const pictures = answer.pictures.map((row) => {
    if (!("score" in row)) return row;
    const inReference = reference && { referencePercentile: referencePercentile(row.score, reference) };
    return { ...row, percentile: places[next++]!, ...inReference };
  });
  return { ...answer, pictures };
}

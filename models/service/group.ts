import type { z } from "@hono/zod-openapi";
import { grouping } from "../culling/group.ts";
import { seenOf } from "../culling/kept-look.ts";
import { decisionsOf } from "../culling/rank.ts";
import type { groupingSchema, groupRequestSchema } from "./schemas.ts";

type GroupRequest = z.output<typeof groupRequestSchema>;
export type Grouping = z.infer<typeof groupingSchema>;

/** Milliseconds after which others have their turn. */
const turnMs = 20;

/** Groups pictures by what was seen of them, as `cullPictures` does. @throws the signal's reason */
export async function groupOf(request: GroupRequest, signal: AbortSignal): Promise<Grouping> {
  const { keep, ...options } = request;
  const pictures = request.pictures.map(({ name, look, scored }) => ({
    ...seenOf(look, name),
    ...(scored && { scored }),
  }));
  const { burstGapSeconds, similarity } = options;
  const steps = grouping(pictures, {
    ...(burstGapSeconds !== undefined && { burstGapSeconds }),
    ...(similarity !== undefined && { similarity }),
  });
  let since = performance.now();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return { pictures: decisionsOf(pictures, value, keep) };
    if (performance.now() - since < turnMs) continue;
    await new Promise(setImmediate);
    signal.throwIfAborted();
    since = performance.now();
  }
}

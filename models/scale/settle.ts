import type { LogEntry } from "../service/options.ts";
import type { Outcome } from "./picture-work.ts";
import { keysOf, type PictureQueue } from "./queue.ts";

/**
 * Counts the pictures that ended, and keeps why some were given up.
 * @param tries how often a picture was tried
 */
export async function settle(
  { connection: { redis }, name }: PictureQueue,
  outcomes: readonly Outcome[],
  tries: (picture: string) => number,
  log: (entry: LogEntry) => void,
): Promise<void> {
  if (outcomes.length === 0) return;
  const { tally, dead: letters } = keysOf(name);
  const dead = outcomes.flatMap((one) => ("failure" in one ? [one] : []));
  const scored = outcomes.filter((one) => "score" in one && !one.stored).length;
  if (dead.length > 0) {
    const fields = dead.flatMap(({ picture, failure: { reason, error } }) => [
      picture,
      JSON.stringify({ reason, error, tries: tries(picture), at: Date.now() }),
    ]);
    await redis.hset(letters, ...fields);
    const reasons = Object.entries(Object.groupBy(dead, ({ failure }) => failure.reason));
    for (const [reason, some] of reasons) log({ level: "warn", event: "given-up", reason, pictures: some!.length });
  }
  const counting = redis.pipeline();
  // What was given up before and has a score now is no dead letter any more.
  const good = outcomes.flatMap((one) => ("score" in one ? [one.picture] : []));
  if (good.length > 0) counting.hdel(letters, ...good);
  for (const [field, count] of Object.entries({
    scored,
    stored: outcomes.length - scored - dead.length,
    dead: dead.length,
  }))
    if (count > 0) counting.hincrby(tally, field, count);
  await counting.exec();
}

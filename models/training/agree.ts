import { createHash } from "node:crypto";
import { gatherJson, RankError, type Ranks } from "../../engine/ranks/ranks.ts";

/** SHA-256 of what JSON makes of a value. */
export function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

/** Ranks in words: "rank 2", "ranks 0, 1 and 3". */
export function rankWords(ranks: readonly number[]): string {
  if (ranks.length === 1) return `rank ${ranks[0]}`;
  return `ranks ${ranks.slice(0, -1).join(", ")} and ${ranks.at(-1)}`;
}

/**
 * Sees that all ranks have the same.
 * @param what is compared, in words
 * @throws RankError that names the ranks that differ, on all of them
 */
export async function expectSame(ranks: Ranks, what: string, own: unknown, advice = ""): Promise<void> {
  const bytes = createHash("sha256").update(JSON.stringify(own)).digest();
  const all = await ranks.gather(
    bytes,
    Array.from({ length: ranks.size }, () => bytes.length),
  );
  const said = all.map((each) => Buffer.from(each).toString("hex"));
  const groups = [...Map.groupBy(said.keys(), (rank) => said[rank]!).values()];
  if (groups.length === 1) return;
  throw new RankError(`${groups.map(rankWords).join(" and ")} differ in the ${what}`, advice);
}

/** Sees by names that all ranks have the same; see {@link expectSame}. @param own values by what they are called */
export async function expectAllSame(
  ranks: Ranks,
  own: Readonly<Record<string, unknown>>,
  advice: string,
): Promise<void> {
  const digests = await gatherJson(
    ranks,
    Object.fromEntries(Object.entries(own).map(([name, value]) => [name, digest(value ?? null)])),
  );
  const differing = Object.keys(own).flatMap((name) => {
    const groups = [...Map.groupBy(digests.keys(), (rank) => digests[rank]![name]!).values()];
    return groups.length > 1 ? [`${groups.map(rankWords).join(" and ")} differ in the ${name}`] : [];
  });
  if (differing.length > 0) throw new RankError(differing.join("; "), advice);
}

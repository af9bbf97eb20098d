import { expectNames, expectOptions, whole } from "../../engine/arguments.ts";
import { standingsOf } from "./compare.ts";
import { type GroupOptions, groupSimilar } from "./group.ts";
import type { SeenPicture } from "./picture.ts";
import { type CullReason, type Member, pointsOf, reasonAhead, reasonBehind } from "./reason.ts";

/** A picture in the order of its burst. */
export interface BurstRank {
  /** Of the pictures that were given. */
  readonly index: number;
  readonly name: string;
  /** 1 for the best. */
  readonly rank: number;
  /** 0 for one that is behind in nothing, and below: comparable within a burst alone. */
  readonly points: number;
  /** Sharpness of its tiles over that of the sharpest of the burst, 0 to 1. */
  readonly sharpness: number;
  /** What most sets it behind the first; absent of the first. */
  readonly reason?: CullReason;
  /** Why it has this place, in words. */
  readonly words: string;
}

/**
 * The order of pictures of one burst, the best first. Each is compared with the best of the burst in each respect: ln of the sharpness of its
 * sharpest tiles and of all, clipping, darkness, ln of noise and of block borders, size, and score over its spread; the weighted sum makes the order
 * (see README.md). Scores alone say little here: they saturate within a moment.
 * @throws RangeError without pictures
 */
export function rankBurst(pictures: readonly SeenPicture[]): BurstRank[] {
  if (pictures.length === 0) throw new RangeError("rankBurst needs at least one picture");
  const standings = standingsOf(pictures);
  const members = pictures.map((picture, index) => {
    const standing = standings[index]!;
    return { index, picture, standing, points: pointsOf(standing) };
  });
  members.sort((a, b) => b.points - a.points || earlier(a.picture, b.picture));
  const [first, second] = members;
  return members.map(({ index, picture, standing, points }, place) => ({
    index,
    name: picture.name,
    rank: place + 1,
    points,
    sharpness: Math.exp(standing.sharpest),
    ...(place === 0 ? { words: second ? reasonAhead(first!, second, members.length) : "alone" } : behind(place)),
  }));

  function behind(place: number): { reason: CullReason; words: string } {
    const same = members.slice(0, place).find(({ picture: { digest } }) => isSame(digest, members[place]!));
    return reasonBehind(members[place]!, same ?? first!);
  }
}

const isSame = (digest: string | undefined, { picture }: Member) => digest !== undefined && digest === picture.digest;

/** Which of two pictures that are as good was there before. */
function earlier(a: SeenPicture, b: SeenPicture): number {
  const [one, other] = [a, b].map(({ capture }) => capture.at ?? Number.POSITIVE_INFINITY);
  if (one !== other) return one! < other! ? -1 : 1;
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

export interface CullOptions extends GroupOptions {
  /** Pictures kept of each group. @default 1 */
  readonly keep?: number;
}

const cullNames = { keep: true, burstGapSeconds: true, similarity: true } satisfies Record<keyof CullOptions, true>;

/** What becomes of a picture. */
export interface CullDecision extends BurstRank {
  /** Number of its group, from 1 on. */
  readonly group: number;
  /** Pictures in it. */
  readonly groupSize: number;
  readonly decision: "keep" | "reject";
}

/**
 * Groups pictures by {@link groupSimilar}, ranks each group by {@link rankBurst} and keeps the first of each; one that is alone is kept.
 * @returns decisions by group, then rank
 * @throws TypeError or RangeError for an option that means nothing
 */
export function cullPictures(pictures: readonly SeenPicture[], options: CullOptions = {}): CullDecision[] {
  expectNames("cullPictures", options, cullNames);
  const { keep = 1, ...grouping } = options;
  expectOptions("cullPictures", { keep }, { keep: whole(1) });
  return decisionsOf(pictures, groupSimilar(pictures, grouping), keep);
}

/** What becomes of pictures in such groups, of each of which so many are kept. */
export function decisionsOf(
  pictures: readonly SeenPicture[],
  groups: readonly (readonly number[])[],
  keep: number,
): CullDecision[] {
  return groups.flatMap((members, group) =>
    rankBurst(members.map((index) => pictures[index]!)).map((ranked) => ({
      ...ranked,
      index: members[ranked.index]!,
      group: group + 1,
      groupSize: members.length,
      decision: ranked.rank <= keep ? ("keep" as const) : ("reject" as const),
    })),
  );
}

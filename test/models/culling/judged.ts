import type { CullDecision } from "../../../models/culling/index.ts";
import type { MadePicture } from "./made-library.ts";

/** How decisions agree with what is known of a made library. */
export interface Judged {
  /** Bursts: moments of 2 pictures or more. */
  readonly bursts: number;
  /** Of them, those whose best picture is the first of a group with most of the burst. */
  readonly bestFound: number;
  /** Groups of 2 or more, and those of them that hold pictures of several moments. */
  readonly groups: number;
  readonly mixedGroups: number;
  /** Pairs that were put together, and those of them that do not belong together. */
  readonly joinedPairs: number;
  readonly falsePairs: number;
  /** Pairs that belong together, and those of them that were not put together. */
  readonly truePairs: number;
  readonly missedPairs: number;
}

export function judge(pictures: readonly MadePicture[], decisions: readonly CullDecision[]): Judged {
  const truth = new Map(pictures.map((one) => [one.name, one]));
  const made = (one: CullDecision) => truth.get(one.name.slice(one.name.lastIndexOf("/") + 1))!;
  const groups = [...Map.groupBy(decisions, ({ group }) => group).values()].filter((group) => group.length > 1);
  const moments = [...Map.groupBy(decisions, (one) => made(one).moment).values()].filter((one) => one.length > 1);
  const pairs = (count: number) => (count * (count - 1)) / 2;
  const together = (sets: readonly CullDecision[][], key: (one: CullDecision) => unknown) => {
    const parts = sets.flatMap((set) => [...Map.groupBy(set, key).values()]);
    return parts.reduce((sum, part) => sum + pairs(part.length), 0);
  };
  const all = (sets: readonly CullDecision[][]) => sets.reduce((sum, set) => sum + pairs(set.length), 0);
  const isFound = (burst: CullDecision[]) => {
    const best = burst.find((one) => made(one).isBest)!;
    const own = burst.filter(({ group }) => group === best.group);
    return best.rank === 1 && own.length > burst.length / 2;
  };
  return {
    bursts: moments.length,
    bestFound: moments.filter(isFound).length,
    groups: groups.length,
    mixedGroups: groups.filter((group) => new Set(group.map((one) => made(one).moment)).size > 1).length,
    joinedPairs: all(groups),
    falsePairs: all(groups) - together(groups, (one) => made(one).moment),
    truePairs: all(moments),
    missedPairs: all(moments) - together(moments, ({ group }) => group),
  };
}

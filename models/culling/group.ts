import { expectOptions, notNegative, share } from "../../engine/arguments.ts";
import { likeness } from "./likeness.ts";
import { HashIndex } from "./perceptual-hash.ts";
import type { SeenPicture } from "./picture.ts";

export interface GroupOptions {
  /** Seconds from one picture of a burst to the next of the same camera, at most. @default 3 */
  readonly burstGapSeconds?: number;
  /** Mean likeness, 0 to 1, to the pictures of a group from which on one belongs to it. @default 0.72 */
  readonly similarity?: number;
}

const checks = { burstGapSeconds: notNegative, similarity: share };

/** As {@link groupSimilar} goes where nothing else is said; chosen on made pictures, see README.md. */
export const groupDefaults = { burstGapSeconds: 3, similarity: 0.72 };

/** Bits by which hashes of near-duplicates differ at most. */
const duplicateBits = 11;
/** Likeness of near-duplicates that time does not join. */
const duplicateLikeness = 0.9;
/** Pictures of a group that a further one is compared with at most. */
const compared = 12;
/** Groups of one run of shots that a further picture is compared with: the latest. */
const openGroups = 6;
/** Groups of near hashes that a further picture is compared with: photographs have a few. */
const nearGroups = 64;

interface Group {
  readonly members: number[];
  /** What stands for them. */
  readonly outlines: Int8Array[];
}

/**
 * Which pictures show the same: bursts, and near-duplicates whenever they were made. A picture joins the group to whose pictures it is most alike on average
 * (average linkage, so that a chain of small changes does not join unlike ends), where this is `similarity` or more and the group is
 *
 * - of the same run of shots: the same camera, and no pause longer than `burstGapSeconds`;
 * - or holds a near-duplicate: a hash within 11 of 64 bits, and a likeness of 0.9 or more.
 *
 * Files of the same bytes are always together. Pictures are taken by their time of capture, then by name, so that the order given does not matter.
 * Time grows with the number of pictures and of hashes near each; memory with the number of pictures.
 * @returns indices of `pictures`, in order; each is in one group, those that are like no other are alone
 * @throws TypeError or RangeError for an option that means nothing
 */
export function groupSimilar(pictures: readonly SeenPicture[], options: GroupOptions = {}): number[][] {
  const steps = grouping(pictures, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** {@link groupSimilar} in steps of one picture, each of which takes milliseconds, for who has something else to do meanwhile. */
export function* grouping(
  pictures: readonly SeenPicture[],
  options: GroupOptions = {},
): Generator<void, number[][], undefined> {
  expectOptions("groupSimilar", options, checks);
  const { burstGapSeconds, similarity } = { ...groupDefaults, ...options };
  const index = new HashIndex<Group>(duplicateBits);
  const ofDigest = new Map<string, Group>();
  const runs = new Map<string, { last: number; open: Group[] }>();
  const groups: Group[] = [];
  for (const at of inOrder(pictures)) {
    const { look, capture, digest } = pictures[at]!;
    const run = runOf(capture);
    const group =
      (digest !== undefined && ofDigest.get(digest)) ||
      bestOf(look.outline, run?.open ?? [], index.near(look.hash)) ||
      start();
    group.members.push(at);
    keep(group, look.outline);
    index.add(look.hash, group);
    if (digest !== undefined) ofDigest.set(digest, group);
    if (run) run.open = [group, ...run.open.filter((other) => other !== group)].slice(0, openGroups);
    yield;
  }
  return groups.map(({ members }) => members.sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);

  function start(): Group {
    const group: Group = { members: [], outlines: [] };
    groups.push(group);
    return group;
  }

  /** The run of shots that a picture goes on, or begins. */
  function runOf({ at, camera = "" }: SeenPicture["capture"]) {
    if (at === undefined) return undefined;
    const known = runs.get(camera);
    const run = known && at - known.last <= 1000 * burstGapSeconds ? known : { last: at, open: [] };
    run.last = at;
    runs.set(camera, run);
    return run;
  }

  function bestOf(outline: Int8Array, open: readonly Group[], near: ReadonlySet<Group>): Group | undefined {
    let best: { group: Group; mean: number } | undefined;
    for (const group of new Set([...open, ...[...near].slice(-nearGroups)])) {
      const alike = group.outlines.map((other) => likeness(outline, other));
      const mean = alike.reduce((sum, value) => sum + value, 0) / alike.length;
      const belongs = mean >= similarity && (open.includes(group) || Math.max(...alike) >= duplicateLikeness);
      if (belongs && mean > (best?.mean ?? -1)) best = { group, mean };
    }
    return best?.group;
  }
}

/** By time, those without one last; then by name. */
function inOrder(pictures: readonly SeenPicture[]): number[] {
  const time = ({ capture }: SeenPicture) => capture.at ?? Number.POSITIVE_INFINITY;
  const order = (a: SeenPicture, b: SeenPicture) => {
    const [one, other] = [time(a), time(b)];
    if (one !== other) return one < other ? -1 : 1;
    return a.name < b.name ? -1 : Number(a.name > b.name);
  };
  return pictures.map((_, i) => i).sort((a, b) => order(pictures[a]!, pictures[b]!));
}

/** Keeps an outline of a group: of a large one an even sample of those before, and the latest. */
function keep({ members, outlines }: Group, outline: Int8Array): void {
  if (outlines.length < compared) outlines.push(outline);
  else {
    // Reservoir by a fixed step: every place is taken by the latest in turn, but the first two.
    outlines[2 + (members.length % (compared - 2))] = outline;
  }
}

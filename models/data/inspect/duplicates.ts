import { type Fingerprint, hashWords } from "./fingerprint.ts";

/** Two pictures that are the same, or nearly. Positions in the list that was searched, the smaller first. */
export interface Duplicate {
  readonly first: number;
  readonly second: number;
  /** `file`: the same bytes; `picture`: the same content, re-encoded, resized, brightened or slightly changed. */
  readonly same: "file" | "picture";
  /** Bits of 128 that differ. */
  readonly distance: number;
}

export interface Duplicates {
  readonly pairs: readonly Duplicate[];
  /** Pairs beyond the limit, which are counted only. */
  readonly more: number;
}

/** Pictures with more differing bits of 128 count as different. */
export const furthest = 7;
/** Correlation of the thumbnails that a pair must reach besides. */
const leastCorrelation = 0.95;

/**
 * Finds all pairs with the same file hash, and all whose perceptual hashes differ in at most 7 of 128 bits and whose
 * thumbnails correlate by 0.95 or more. The hash is cut into 8 bands: two that differ in 7 bits or fewer agree in at least one of them,
 * so that only pictures that share a band are compared. Crops and mirrored pictures are not found.
 * @param wanted pairs it refuses are not listed, such as those within a group
 * @param limit pairs listed at most
 */
export function findDuplicates(
  prints: readonly Fingerprint[],
  wanted: (first: number, second: number) => boolean,
  limit = 10_000,
): Duplicates {
  const pairs: Duplicate[] = [];
  let more = 0;
  const add = (pair: Duplicate) => {
    if (pairs.length < limit) pairs.push(pair);
    else more++;
  };
  for (let band = 0; band <= furthest; band++) {
    const buckets = new Map<number, number[]>();
    prints.forEach((print, second) => {
      if (isFlat(print)) return;
      const key = bandOf(print.hash, band);
      const bucket = buckets.get(key);
      if (!bucket) buckets.set(key, [second]);
      else {
        for (const first of bucket) {
          const pair = compare(prints[first]!, print, band);
          if (pair !== undefined && wanted(first, second)) add({ first, second, ...pair });
        }
        bucket.push(second);
      }
    });
  }
  for (const members of flatTwins(prints)) {
    members.forEach((second, i) => {
      for (const first of members.slice(0, i))
        if (wanted(first, second)) add({ first, second, same: "file", distance: 0 });
    });
  }
  return { pairs: pairs.sort((a, b) => a.first - b.first || a.second - b.second), more };
}

/** Undefined when the two differ, or agree in an earlier band, where they were found already. */
function compare(a: Fingerprint, b: Fingerprint, band: number): Pick<Duplicate, "same" | "distance"> | undefined {
  for (let earlier = 0; earlier < band; earlier++) {
    if (bandOf(a.hash, earlier) === bandOf(b.hash, earlier)) return undefined;
  }
  const distance = hamming(a.hash, b.hash);
  if (a.sha256 === b.sha256) return { same: "file", distance };
  if (distance > furthest || correlation(a.thumbnail, b.thumbnail) < leastCorrelation) return undefined;
  return { same: "picture", distance };
}

/** Files of one tone have no content to compare: those with the same bytes, by file hash. */
function flatTwins(prints: readonly Fingerprint[]): number[][] {
  const byFile = new Map<string, number[]>();
  prints.forEach((print, i) => {
    if (!isFlat(print)) return;
    const members = byFile.get(print.sha256);
    if (members) members.push(i);
    else byFile.set(print.sha256, [i]);
  });
  return [...byFile.values()].filter((members) => members.length > 1);
}

const isFlat = ({ thumbnail }: Fingerprint) => thumbnail.every((value) => value === 0);

/** Sixteen bits of the hash. */
function bandOf(hash: Uint32Array, band: number): number {
  return (hash[band >> 1]! >>> (16 * (band & 1))) & 0xffff;
}

/** Number of bits that differ. */
export function hamming(a: Uint32Array, b: Uint32Array): number {
  let count = 0;
  for (let word = 0; word < hashWords; word++) {
    for (let bits = a[word]! ^ b[word]!; bits !== 0; bits &= bits - 1) count++;
  }
  return count;
}

function correlation(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

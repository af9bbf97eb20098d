import { expectNames } from "../../../engine/arguments.ts";
import { median } from "../../metrics/index.ts";
import type { Dataset, Row } from "../dataset.ts";
import type { Decoding } from "../pictures/decode.ts";
import { PictureError } from "../pictures/picture-error.ts";
import { prefetch } from "../prefetch.ts";
import type { Problem } from "../problems.ts";
import type { MosRange } from "../range.ts";
import { type Duplicate, findDuplicates } from "./duplicates.ts";
import { type Fingerprint, fingerprint } from "./fingerprint.ts";

/** Distribution of a list of numbers. `sd` is that of the population; NaN without values. */
export interface Summary {
  readonly count: number;
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
  readonly mean: number;
  readonly sd: number;
}

/** A near-duplicate pair by names, with the parts of the split they are in. */
export interface DuplicatePair extends Pick<Duplicate, "same" | "distance"> {
  readonly first: string;
  readonly second: string;
  readonly parts?: readonly [string, string];
  readonly groups?: readonly [string, string];
}

/** What was found out about a data set. Plain data, as `--json` prints it. */
export interface Inspection {
  readonly pictures: number;
  readonly rated: number;
  readonly range?: MosRange;
  readonly rangeSource?: "nominal" | "observed";
  /** Of the MOS in the rows. */
  readonly direction: "higher is better";
  readonly scores: readonly number[];
  readonly mos?: Summary;
  /** Standard deviation of the opinions on one picture. */
  readonly opinionSd?: Summary;
  /** Rows that say how often each grade was given. */
  readonly histograms: number;
  /** Rows that were left out: missing, broken, duplicate, without a usable score. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
  readonly excluded: number;
  /** Pictures by container. */
  readonly formats: Readonly<Record<string, number>>;
  /** Sizes with the pictures that have them, most frequent first. */
  readonly sizes: readonly { readonly size: string; readonly count: number }[];
  /** Sizes of the groups. */
  readonly groups?: Summary;
  /** Pictures by part of the split; absent without one. */
  readonly parts?: Readonly<Record<string, number>>;
  /** Groups with pictures in more than one part. */
  readonly dividedGroups: readonly string[];
  /** Duplicates in different parts of the split; without a split none, since nothing leaks yet. */
  readonly leaks: readonly DuplicatePair[];
  /** Other duplicates outside a common group, which a random split could divide. */
  readonly duplicates: readonly DuplicatePair[];
  /** Pairs beyond the first 10,000 of either list, counted only. */
  readonly unlistedPairs: number;
}

export interface InspectOptions extends Decoding {
  /** Part of each picture by name, instead of those in the rows. */
  readonly parts?: ReadonlyMap<string, string>;
  /** Pictures decoded at a time. @default 4 */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Nothing is missing or broken, and neither duplicates nor groups are divided by the split. */
export function isSound({ problems, leaks, dividedGroups }: Inspection): boolean {
  return problems.length + leaks.length + dividedGroups.length === 0;
}

const names = {
  strictness: true,
  maxPixels: true,
  parts: true,
  concurrency: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof InspectOptions, true>;

/**
 * Decodes every picture once and reports on scores, files, groups, and duplicates within the set and across its split. Keeps about
 * 250 bytes for each picture.
 * @throws the signal's reason when it is aborted
 */
export async function inspect(dataset: Dataset, options: InspectOptions = {}): Promise<Inspection> {
  expectNames("inspect", options, names);
  const { concurrency = 4, signal, onProgress, strictness, maxPixels } = options;
  const rows: Row[] = [];
  const prints: Fingerprint[] = [];
  const broken: Problem[] = [];
  const checks = prefetch(dataset.rows, (row) => fingerprint(row.path, { strictness, maxPixels }), {
    ahead: concurrency,
    concurrency,
    ...(signal && { signal }),
  });
  for await (const check of checks) {
    if (check.ok) {
      rows.push(check.item);
      prints.push(check.value);
    } else if (check.error instanceof PictureError) {
      broken.push({ kind: "picture", name: check.item.name, detail: check.error.message });
    } else throw check.error;
    onProgress?.(check.index + 1, dataset.rows.length);
  }
  const scores = dataset.rows.flatMap(({ mos }) => (mos === undefined ? [] : [mos]));
  const opinionSd = dataset.rows.flatMap(({ sd }) => (sd === undefined ? [] : [sd]));
  return {
    pictures: dataset.rows.length,
    rated: scores.length,
    ...(dataset.range && { range: dataset.range, rangeSource: dataset.rangeSource! }),
    direction: "higher is better",
    scores,
    ...(scores.length > 0 && { mos: summary(scores) }),
    ...(opinionSd.length > 0 && { opinionSd: summary(opinionSd) }),
    histograms: dataset.rows.filter((row) => row.histogram).length,
    problems: [...dataset.problems, ...broken],
    warnings: dataset.warnings,
    excluded: dataset.excluded,
    formats: Object.fromEntries(countsOf(prints.map(({ format }) => format))),
    sizes: countsOf(prints.map(({ width, height }) => `${width} x ${height}`)).map(([size, count]) => ({
      size,
      count,
    })),
    ...divisions(rows, prints, (row) => (options.parts ? options.parts.get(row.name) : row.split)),
  };
}

/** Groups, parts, and what is divided between parts. */
function divisions(rows: readonly Row[], prints: readonly Fingerprint[], partOf: (row: Row) => string | undefined) {
  const parts = rows.map(partOf);
  const given = parts.filter((part) => part !== undefined);
  const groups = new Map<string, Set<string>>();
  rows.forEach(({ group }, i) => {
    const part = parts[i];
    if (group === undefined || part === undefined) return;
    const members = groups.get(group) ?? new Set<string>();
    groups.set(group, members.add(part));
  });
  const groupSizes = countsOf(rows.flatMap(({ group }) => (group === undefined ? [] : [group]))).map(([, n]) => n);
  const divided = (a: number, b: number) => parts[a] !== undefined && parts[b] !== undefined && parts[a] !== parts[b];
  const sameGroup = (a: number, b: number) => rows[a]!.group !== undefined && rows[a]!.group === rows[b]!.group;
  // Looked for apart, so that a flood of harmless pairs does not push leaks beyond the limit of a list.
  const across = given.length > 0 ? findDuplicates(prints, divided) : { pairs: [], more: 0 };
  const within = findDuplicates(prints, (a, b) => !divided(a, b) && !sameGroup(a, b));
  const described = (pair: Duplicate): DuplicatePair => {
    const [a, b] = [rows[pair.first]!, rows[pair.second]!];
    const [partA, partB] = [parts[pair.first], parts[pair.second]];
    return {
      first: a.name,
      second: b.name,
      same: pair.same,
      distance: pair.distance,
      ...(partA !== undefined && partB !== undefined && { parts: [partA, partB] as const }),
      ...(a.group !== undefined && b.group !== undefined && { groups: [a.group, b.group] as const }),
    };
  };
  return {
    ...(groupSizes.length > 0 && { groups: summary(groupSizes) }),
    ...(given.length > 0 && { parts: Object.fromEntries(countsOf(given)) }),
    dividedGroups: [...groups].filter(([, members]) => members.size > 1).map(([group]) => group),
    leaks: across.pairs.map(described),
    duplicates: within.pairs.map(described),
    unlistedPairs: across.more + within.more,
  };
}

/** Distinct texts with how often they occur, most frequent first. */
function countsOf(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** See `Summary`. */
export function summary(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  const mean = sorted.reduce((a, b) => a + b, 0) / count;
  return {
    count,
    minimum: sorted[0] ?? Number.NaN,
    median: median(sorted),
    maximum: sorted[count - 1] ?? Number.NaN,
    mean,
    sd: Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count),
  };
}

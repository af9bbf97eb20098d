import { evenParts, type Ranks } from "../../engine/ranks/ranks.ts";
import type { PartViews } from "../views/view-kind.ts";
import { groupsOf, type PlannedPicture } from "./batches.ts";
import { type RowRun, rowRuns } from "./rows.ts";

/** A micro-batch, and which of its rows this process takes through the network. */
export interface ShardedRun extends RowRun {
  /** Rows of each rank, by rank, where they are divided; else every rank takes all. */
  readonly counts?: readonly number[];
  /** First of the own rows, and how many, in the batch. */
  readonly own: { readonly start: number; readonly count: number };
}

export interface Sharding {
  readonly views: PartViews;
  /** Most rows in one pass of one process through the network; 0 for any. */
  readonly microBatch: number;
  readonly ranks: Ranks | undefined;
  /** Rows that a rank has at least, for rows to be divided. */
  readonly least: number;
}

/** A batch cut into micro-batches, each of them divided among the ranks; the views of a picture and the copies of a ranked pair stay together. */
export function shardedRuns(
  batch: readonly PlannedPicture[],
  { views, microBatch, ranks, least }: Sharding,
): ShardedRun[] {
  const atOnce = microBatch * (ranks?.size ?? 1) || batch.length;
  const runs = rowRuns(batch, views, atOnce);
  if (!ranks) return runs.map((run) => ({ ...run, own: { start: run.start, count: run.count } }));
  const borders = [...groupsOf(batch, views).map(({ start }) => start), batch.length];
  return runs.map((run) => {
    const bounds = evenParts(run.count, ranks.size).map(
      (bound) => borders.findLast((border) => border <= run.start + bound)!,
    );
    const counts = bounds.slice(1).map((end, r) => end - bounds[r]!);
    if (counts.some((count) => count < least)) return { ...run, own: { start: run.start, count: run.count } };
    return { ...run, counts, own: { start: bounds[ranks.rank]!, count: counts[ranks.rank]! } };
  });
}

/** The rows of a batch that this process takes through the network. */
export function ownRows(runs: readonly ShardedRun[]): number[] {
  return runs.flatMap(({ own }) => Array.from({ length: own.count }, (_, i) => own.start + i));
}

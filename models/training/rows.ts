import { slice } from "../../engine/ops/join.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { type MicroBatch, microBatches } from "../../engine/optim/accumulate.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { PartViews } from "../views/view-kind.ts";
import { groupsOf, type PlannedPicture, viewsOf } from "./batches.ts";
import type { BatchRows, PartRows } from "./method.ts";

/** A micro-batch, and what its rows are. */
export interface RowRun extends MicroBatch {
  readonly rows: BatchRows;
}

/** A batch cut into micro-batches of at most so many rows; the views of a picture and the copies of a ranked pair stay together. */
export function rowRuns(batch: readonly PlannedPicture[], views: PartViews, size: number): RowRun[] {
  const groups = groupsOf(batch, views).map(({ start, rows }) => ({ start, length: rows.length, part: rows[0]!.part }));
  const lengths = groups.map(({ length }) => length);
  const partIn = (wanted: PlannedPicture["part"], start: number, count: number): PartRows => {
    const all = groups.filter(({ part }) => part === wanted);
    const before = all.filter((group) => group.start < start).length;
    const own = all.filter((group) => group.start >= start && group.start < start + count);
    return {
      row: (own[0]?.start ?? start) - start,
      first: before,
      count: own.length,
      size: all.length,
      views: viewsOf(views, wanted),
    };
  };
  return microBatches(batch.length, size, lengths).map(({ start, count }) => ({
    start,
    count,
    rows: {
      ranked: partIn("ranked", start, count),
      labelled: partIn("labelled", start, count),
      unlabelled: partIn("unlabelled", start, count),
      further: partIn("further", start, count),
    },
  }));
}

/** Rows `start … start + count` of x: [N, …]; x where that is all of them. */
export function rowsOf(x: Tensor, start: number, count: number): Tensor {
  if (count === x.shape[0]) return x;
  const rest = x.shape.slice(1);
  return slice(x, [start, ...rest.map(() => 0)], [start + count, ...rest]);
}

/**
 * The rows of one view of a part's pictures. x: [rows of the micro-batch, …] → [pictures of the part, …].
 * @param view place among the views of a picture
 */
export function viewOf(x: Tensor, { row, count, views }: PartRows, view = 0): Tensor {
  const rows = rowsOf(x, row, count * views);
  if (views === 1) return rows;
  const columns = x.size / x.shape[0]!;
  const wide = reshape(rows, [count, views * columns]);
  const shown = slice(wide, [0, view * columns], [count, (view + 1) * columns]);
  return x.rank === 2 ? shown : reshape(shown, [count, ...x.shape.slice(1)]);
}

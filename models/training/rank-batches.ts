import { gatherJson, type Ranks } from "../../engine/ranks/ranks.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Loaded } from "../data/index.ts";
import type { Inputs } from "../views/inputs.ts";
import { oneView, type PartViews } from "../views/view-kind.ts";
import { groupsOf, type LoadedBatch, type PlannedPicture, type StepPicture } from "./batches.ts";

/** A batch of which this process loaded the rows that it needs. */
export interface RankBatch extends Pick<LoadedBatch, "errors"> {
  readonly pictures: readonly StepPicture[];
  /** Whether a rank was asked to stop before it. */
  readonly stops?: boolean;
}

export interface RankLoading {
  readonly views: PartViews | undefined;
  readonly ranks: Ranks;
  /** Rows of a batch that this process needs. */
  readonly own: (batch: readonly PlannedPicture[]) => readonly number[];
  /** Asks all ranks to stop. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Batches as `loadBatches` gives them, of which this process loads the rows that it needs; the pictures of others come without a tensor. Where a
 * picture of a batch cannot be read by a rank, all load the whole batch, and leave out what one of them cannot read.
 */
export async function* loadRankBatches(
  batches: readonly PlannedPicture[][],
  inputs: Inputs,
  { views = oneView, ranks, own, signal }: RankLoading,
): AsyncGenerator<RankBatch, void, undefined> {
  const wanted = batches.map((batch) => own(batch).map((row) => batch[row]!));
  const loading = inputs.load(wanted.flat(), { ahead: 64, concurrency: 3 });
  try {
    for (const [b, batch] of batches.entries()) {
      let found = await taken(loading, wanted[b]!.length);
      const said = await ranks.gather(
        Uint8Array.of(found.some((each) => "error" in each) ? 1 : 0, signal?.aborted ? 1 : 0, 0, 0),
        Array.from({ length: ranks.size }, () => 4),
      );
      const stops = said.some((bytes) => bytes[1] === 1);
      let left = new Map<number, string>();
      if (said.some((bytes) => bytes[0] === 1)) {
        found = await taken(inputs.load(batch, { ahead: 64, concurrency: 3 }), batch.length);
        left = await unreadable(found, ranks);
      }
      const byRow = new Map<PlannedPicture, Tensor>();
      for (const each of found) if ("tensor" in each) byRow.set(each.row, each.tensor);
      const pictures = groupsOf(batch, views).flatMap(({ start, rows }) =>
        rows.some((_, i) => left.has(start + i))
          ? []
          : rows.map((planned) => ({ planned, tensor: byRow.get(planned) })),
      );
      const errors = [...left].map(([row, error]) => ({ planned: batch[row]!, error }));
      yield { pictures, errors, stops };
    }
  } finally {
    await loading.return();
  }
}

async function taken<Row>(
  loading: AsyncGenerator<Loaded<Row>, void, undefined>,
  count: number,
): Promise<Loaded<Row>[]> {
  const found: Loaded<Row>[] = [];
  while (found.length < count) {
    const next = await loading.next();
    if (next.done) break;
    found.push(next.value);
  }
  return found;
}

/** Rows of a batch that a rank cannot read, and why. */
async function unreadable(found: readonly Loaded<PlannedPicture>[], ranks: Ranks): Promise<Map<number, string>> {
  const own = found.flatMap((each, row): [number, string][] =>
    "error" in each ? [[row, each.error instanceof Error ? each.error.message : String(each.error)]] : [],
  );
  const all = await gatherJson(ranks, own);
  return new Map(all.flat().sort(([a], [b]) => a - b));
}

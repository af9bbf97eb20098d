import { DeviceLostError } from "../../engine/device/errors.ts";
import type { MosRange } from "../data/index.ts";
import { hasSpread } from "../labels/score.ts";
import { evaluate } from "../metrics/index.ts";
import type { PartResult } from "../report/experiment/experiment-record.ts";
import { openScorer } from "../scoring/scorer.ts";
import type { Progress } from "../training/training.ts";
import type { HeldDevice } from "./held-device.ts";
import type { HashedRow } from "./sources.ts";
import { partResult } from "./train-planned.ts";

/** Losses of the device at which scoring a data set gives up. */
const mostLosses = 3;

/** A rated data set that a model is tested on as it is. */
export interface CrossSet {
  readonly name: string;
  readonly rows: readonly HashedRow[];
  readonly range: MosRange;
}

/**
 * Tests a model on a data set it was not trained on. Nothing is fitted: a score keeps its place between the ends of the
 * model's range, seen on the range of the set.
 * @throws what opening the model throws; RangeError for fewer than 3 pictures; the signal's reason
 */
export async function testOn(
  model: { readonly path: string; readonly stage: number },
  set: CrossSet,
  device: HeldDevice,
  hooks: { readonly signal?: AbortSignal; readonly onScored?: () => void },
): Promise<{ result: PartResult; predictions: Progress["predictions"] }> {
  for (let losses = 1; ; losses++) {
    try {
      return await testOnce(model, set, device, hooks);
    } catch (error) {
      if (!(error instanceof DeviceLostError) || losses === mostLosses || typeof device.source !== "function")
        throw error;
    }
  }
}

async function testOnce(
  { path, stage }: { readonly path: string; readonly stage: number },
  { name, rows, range }: CrossSet,
  device: HeldDevice,
  { signal, onScored }: { readonly signal?: AbortSignal; readonly onScored?: () => void },
) {
  await using scorer = await openScorer({ device: await device.get(), model: path });
  const [low, high] = scorer.card.range;
  const scale = (range[1] - range[0]) / (high - low);
  const byPath = new Map(rows.filter(({ mos }) => mos !== undefined).map((row) => [row.path, row]));
  const predictions: Progress["predictions"] = [];
  for await (const scored of scorer.scoreMany(byPath.keys(), signal ? { signal } : {})) {
    onScored?.();
    if ("error" in scored) continue;
    const row = byPath.get(scored.picture)!;
    predictions.push({
      name: row.name,
      path: row.path,
      mos: row.mos!,
      score: range[0] + (scored.score - low) * scale,
      ...(hasSpread(scored) && {
        standardDeviation: scored.standardDeviation * scale,
        confidence: scored.confidence,
      }),
    });
  }
  if (predictions.length < 3) throw new RangeError(`only ${predictions.length} pictures of ${name} could be scored`);
  const evaluation = evaluate(
    predictions.map(({ score }) => score),
    predictions.map(({ mos }) => mos!),
  );
  return { result: partResult(name, stage, evaluation), predictions };
}

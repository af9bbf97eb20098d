import { DeviceLostError } from "../../engine/device/errors.ts";
import { asText } from "../data/files/file-name.ts";
import { observedRange } from "../data/index.ts";
import { loadPseudoLabels, type PseudoLabelledRow } from "../labels/pseudo-label-file.ts";
import { LabelFileError, labelPool } from "../scoring/label-file.ts";
import { openScorer } from "../scoring/scorer.ts";
import type { TrainingOptions } from "../training/options.ts";
import type { TrainingData } from "../training/training.ts";
import type { HeldDevice } from "./held-device.ts";
import type { PlannedLabels } from "./plan.ts";

/** Losses of the device at which labelling gives up. */
const mostLosses = 3;

interface TaughtBy extends Pick<PlannedLabels, "pool" | "use"> {
  /** File of the model that labels. */
  readonly model: string;
  /** The file of labels; one that an interruption left is gone on with. */
  readonly path: string;
}

/**
 * Labels a pool with a model, as `acutance label` does, and gives what a network learns of it.
 * @throws what opening the model throws; DatasetError when nothing is left to learn; the signal's reason
 */
export async function taughtRows(
  { pool, use, model, path }: TaughtBy,
  { labelled, range }: Pick<TrainingData, "labelled" | "range">,
  { head, levels, ordinal, range: ends }: TrainingOptions,
  device: HeldDevice,
  hooks: { readonly signal?: AbortSignal; readonly onDone?: (count: number) => void },
): Promise<readonly PseudoLabelledRow[]> {
  for (let losses = 1; ; losses++) {
    try {
      await using scorer = await openScorer({ device: await device.get(), model });
      // Every probability: which of them are learned, the network that learns says.
      const label = (existing: "resume" | "replace") =>
        labelPool(scorer, pool, path, { ...hooks, model, existing, distribution: true });
      await label("resume").catch((error: unknown) => {
        // Of a model that was trained again, with other bits.
        if (error instanceof LabelFileError) return label("replace");
        throw error;
      });
      break;
    } catch (error) {
      if (!(error instanceof DeviceLostError) || losses === mostLosses || typeof device.source !== "function")
        throw error;
    }
  }
  const learned = ends === "observed" ? observedRange(labelled.map(({ mos }) => mos)) : range;
  const pictures = new Map(pool.map((row) => [asText(row.name), row.path]));
  const { rows } = await loadPseudoLabels({ csv: path, pictures, head, levels, ordinal, range: learned, ...use });
  return rows;
}

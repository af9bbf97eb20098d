import { add } from "../../engine/ops/elementwise.ts";
import {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "../../engine/ops/losses.ts";
import { Tensor } from "../../engine/tensor.ts";
import { expectation, scoreSet } from "./labels.ts";
import type { CplOptions } from "./options.ts";

/** Labels of one batch or micro-batch: the labelled pictures first. */
export interface BatchLabels {
  /** [B, m], row-major: converted labels and pseudo-labels. */
  readonly targets: Float32Array<ArrayBuffer>;
  /** [B]: 1 for labelled pictures, the confidence of the pseudo-label for others. */
  readonly weights: Float32Array<ArrayBuffer>;
  readonly labelled: number;
  /** For a micro-batch, the numbers of the whole batch: the loss is its share of the whole batch's. */
  readonly whole?: { readonly batch: number; readonly labelled: number };
}

/**
 * Eq. 9: L = (1/B) [Σ_labelled l(p_i, y_i) + Σ_unlabelled ω_i l(p_i, ẑ_i)], or with `lossDivision: "parts"` the mean over
 * the labelled plus the mean over the unlabelled ones. logits: [B, m] → [1].
 */
export function batchLoss(logits: Tensor, labels: BatchLabels, options: CplOptions): Tensor {
  const { device } = logits;
  const rows = rowLoss(logits, labels.targets, options);
  const whole = labels.whole ?? { batch: rows.size, labelled: labels.labelled };
  if (options.lossDivision === "batch" || whole.labelled === 0 || whole.labelled === whole.batch) {
    return weightedMean(rows, Tensor.from(device, labels.weights, [rows.size]), whole.batch);
  }
  const part = (of: (i: number) => boolean, size: number) =>
    weightedMean(
      rows,
      Tensor.from(
        device,
        labels.weights.map((weight, i) => (of(i) ? weight : 0)),
        [rows.size],
      ),
      size,
    );
  return add(
    part((i) => i < labels.labelled, whole.labelled),
    part((i) => i >= labels.labelled, whole.batch - whole.labelled),
  );
}

/** Loss of each picture, [B]. */
function rowLoss(logits: Tensor, targets: Float32Array<ArrayBuffer>, { loss, levels }: CplOptions): Tensor {
  const { device } = logits;
  const batch = targets.length / levels;
  if (loss === "l1") {
    const scores = Float32Array.from({ length: batch }, (_, i) =>
      expectation(targets.subarray(i * levels, (i + 1) * levels)),
    );
    return expectationL1(
      logits,
      Tensor.from(device, scores, [batch]),
      Tensor.from(device, Float32Array.from(scoreSet(levels)), [levels]),
    );
  }
  const target = Tensor.from(device, targets, [batch, levels]);
  if (loss === "kl") return klDivergence(logits, target);
  return loss === "emd" ? earthMoversDistance(logits, target) : softCrossEntropy(logits, target);
}

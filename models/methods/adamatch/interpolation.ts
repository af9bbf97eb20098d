import { withoutGradients } from "../../../engine/autograd.ts";
import { add, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { concat } from "../../../engine/ops/join.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import type { Outputs } from "../../networks/model.ts";
import type { PlannedPicture } from "../../training/batches.ts";
import type { BatchRows, PhaseContext, StepPlace, Targets } from "../../training/method.ts";
import { rowsOf } from "../../training/rows.ts";

/** Target: r, a number from 0 to 1 for each logit of the labelled views. */
const share = "interpolation";

/** Draws r anew for a step. */
export function interpolationTargets(
  views: readonly PlannedPicture[],
  { step }: StepPlace,
  { seed, levels }: { readonly seed: number; readonly levels: number },
): Targets {
  const rows = views.filter(({ part }) => part === "labelled").length;
  if (rows === 0) return {};
  const random = new Random(seed, `logit interpolation, step ${step}`);
  return {
    [share]: { data: Float32Array.from({ length: rows * levels }, () => random.uniform()), shape: [rows, levels] },
  };
}

/**
 * Outputs whose logits of labelled pictures are z″ + r (z′ − z″) (Berthelot et al. 2022): z″ with all views of the batch, z′ with the
 * labelled ones alone, which batch norm makes others of. Gradients go both ways. Running statistics are those of the whole batch.
 * @param input what the outputs were made of
 */
export function interpolated(
  outputs: Outputs,
  { labelled }: BatchRows,
  targets: Readonly<Record<string, Tensor>>,
  input: Tensor,
  { model, inputs }: Pick<PhaseContext, "model" | "inputs">,
): Outputs {
  const { logits } = outputs;
  const [start, count, all] = [labelled.row, labelled.count * labelled.views, logits.shape[0]!];
  if (count === 0) return outputs;
  const statistics = model.tensors().flatMap(({ role, tensor }) => (role === "statistic" ? [tensor] : []));
  const kept = withoutGradients(() => statistics.map((tensor) => copied(tensor, Tensor.like(tensor))));
  const alone = inputs.forward(between(input, start, start + count), true).logits;
  statistics.forEach((tensor, i) => {
    copied(kept[i]!, tensor);
    kept[i]!.dispose();
  });
  const together = between(logits, start, start + count);
  const own = add(together, multiply(subtract(alone, together), targets[share]!));
  const others = [
    [0, start],
    [start + count, all],
  ].map(([from, until]) => (from! < until! ? [between(logits, from!, until!)] : []));
  return { ...outputs, logits: concat([...others[0]!, own, ...others[1]!]) };
}

const between = (x: Tensor, from: number, until: number) => rowsOf(x, from, until - from);

function copied(from: Tensor, to: Tensor): Tensor {
  from.device.stream.copy(from.allocation, 0, to.allocation, 0, from.sizeBytes);
  return to;
}

import { normaliseMos, shareOf } from "../../labels/labels.ts";
import { slope as slopeOf } from "../../metrics/index.ts";
import type { PhaseContext } from "../../training/method.ts";
import { TrainingError } from "../../training/training.ts";
import { predict } from "../../views/predict.ts";

/**
 * Scores that were learnt from pairs are free up to a shift and a factor: brings the network's onto the scale of the ratings by the line
 * of least squares from its scores of the labelled pictures to theirs, which becomes part of its last layer.
 * @throws TrainingError when fewer than two of them can be read, or the network has no last layer of its own
 */
export async function putOnScale({ model, inputs, data, range, progress, hooks }: PhaseContext): Promise<void> {
  const [q, y]: [number[], number[]] = [[], []];
  for await (const outcome of predict(model, data.labelled, inputs, model.options)) {
    if ("error" in outcome) continue;
    const { value, row } = outcome;
    q.push(value.reduce((total, score) => total + score, 0) / value.length);
    y.push(shareOf(normaliseMos(row.mos, range)));
  }
  if (q.length < 2) throw new TrainingError(`${q.length} labelled pictures can be read; at least 2 are needed`);
  const slope = slopeOf(y, q);
  // Scores that are all the same have no scale to be stretched.
  const factor = Number.isFinite(slope) ? slope : 1;
  const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;
  const shift = mean(y) - factor * mean(q);
  for (const [name, added] of [
    ["head.logits.weight", 0],
    ["head.logits.bias", shift],
  ] as const) {
    const tensor = model.tensors().find((each) => each.name === name)?.tensor;
    if (!tensor)
      throw new TrainingError(`the \`network\` ${model.options.network} has no tensor "${name}"; give standard`);
    tensor.write((await tensor.read()).map((value) => factor * value + added) as Float32Array<ArrayBuffer>);
  }
  const against = factor < 0 ? "; the line falls, so that the pairs were not learnt" : "";
  const line = `scores of pairs put on the scale of the ratings by ${factor.toPrecision(4)} q + ${shift.toPrecision(4)}, a share of it, on ${q.length} labelled pictures${against}`;
  progress.notes = [...(progress.notes ?? []), line];
  hooks.log?.(line);
}

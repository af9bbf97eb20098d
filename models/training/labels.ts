import { normaliseMos } from "../labels/labels.ts";
import { heads } from "../networks/heads.ts";
import type { ModelCard, QualityNetwork } from "../networks/model.ts";
import { labelMos } from "./classes.ts";
import type { TrainingOptions } from "./options.ts";
import { type TrainingData, TrainingError } from "./training.ts";

/**
 * The labels of the labelled pictures as the head of a network learns them: those that they carry, else those of their scores.
 * @returns [labelled, length], row-major
 */
export function labelsOf(
  { labelled }: Pick<TrainingData, "labelled">,
  { head }: Pick<QualityNetwork, "head">,
  { range, options }: Pick<ModelCard<TrainingOptions>, "range" | "options">,
): Float32Array<ArrayBuffer> {
  const scores = labelled.map((row) => normaliseMos(labelMos(row, { range, options }), range));
  const labels = Float32Array.from(head.labels(scores, options));
  const length = head.length(options.levels);
  labelled.forEach(({ label }, i) => {
    if (label) labels.set(label, i * length);
  });
  return labels;
}

/** @throws TrainingError when a picture carries a label that the head cannot learn, or a weight that is none */
export function expectLabels({ labelled }: Pick<TrainingData, "labelled">, options: TrainingOptions): void {
  const length = heads[options.head].length(options.levels);
  for (const { name, label, weight } of labelled) {
    if (label && (label.length !== length || !label.every(Number.isFinite))) {
      throw new TrainingError(
        `the label of ${name} is ${JSON.stringify(label)}; the \`head\` ${options.head} with \`levels\` ${options.levels} learns ${length} finite ${length === 1 ? "number" : "numbers"}`,
      );
    }
    if (weight !== undefined && !(weight >= 0 && weight < Number.POSITIVE_INFINITY))
      throw new TrainingError(`the weight of ${name} is ${weight}; give a finite number of at least 0`);
  }
}

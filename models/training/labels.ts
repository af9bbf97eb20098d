import { HIGHEST, LOWEST, normaliseMos } from "../labels/labels.ts";
import { gradesOnScores } from "../metrics/index.ts";
import { heads } from "../networks/heads.ts";
import type { ModelCard, QualityNetwork } from "../networks/model.ts";
import { labelMos } from "./classes.ts";
import type { TrainingOptions } from "./options.ts";
import { ratedByPeople, type TrainingData, TrainingError } from "./training.ts";

/**
 * The labels of the labelled pictures as the head of a network learns them: those that they carry, else those of their scores and, by
 * the label mode, of the opinions behind them.
 * @returns [labelled, length], row-major
 */
export function labelsOf(
  { labelled, range: grades }: Pick<TrainingData, "labelled" | "range">,
  { head }: Pick<QualityNetwork, "head">,
  { range, options }: Pick<ModelCard<TrainingOptions>, "range" | "options">,
): Float32Array<ArrayBuffer> {
  const [low, high] = range;
  const scores = labelled.map((row) => normaliseMos(labelMos(row, { range, options }), range));
  const deviations = labelled.map(({ sd }) => sd && (sd * (HIGHEST - LOWEST)) / (high - low));
  const labels = Float32Array.from(head.labels(scores, options, deviations));
  const length = head.length(options.levels);
  const onGrades = (mos: number) => (mos - grades[0]) / (grades[1] - grades[0]);
  labelled.forEach(({ label, histogram }, i) => {
    if (label) labels.set(label, i * length);
    else if (histogram && options.labelMode === "histogram")
      labels.set(gradesOnScores(histogram, length, [onGrades(low), onGrades(high)]), i * length);
  });
  return labels;
}

/** What label modes read beside the score of a picture that people rated, by the field of its row, and how it is called. */
const needed = {
  "gauss-own": ["sd", "standard deviation of its opinions"],
  deqa: ["sd", "standard deviation of its opinions"],
  histogram: ["histogram", "counts of its grades"],
} as const;

/** @throws TrainingError when pictures that people rated lack what the label mode is made from */
function expectOpinions({ labelled }: Pick<TrainingData, "labelled">, { labelMode }: TrainingOptions): void {
  if (!(labelMode in needed)) return;
  const [field, words] = needed[labelMode as keyof typeof needed];
  const without = ratedByPeople(labelled).filter((row) => row[field] === undefined);
  if (without.length === 0) return;
  throw new TrainingError(
    `\`labelMode\` ${labelMode}: ${without.length} of the labelled pictures, such as ${without[0]!.name}, come without the ${words}`,
    field === "sd"
      ? "name the column of the table that has it, leave these pictures out, or give another label mode, such as gauss"
      : "give a table with columns c1, c2, …, leave these pictures out, or give another label mode, such as maxent",
  );
}

/** @throws TrainingError when a picture carries a label that the head cannot learn, or a weight that is none */
export function expectLabels({ labelled }: Pick<TrainingData, "labelled">, options: TrainingOptions): void {
  expectOpinions({ labelled }, options);
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

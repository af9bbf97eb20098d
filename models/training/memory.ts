import type { Device } from "../../engine/device/device.ts";
import { OutOfMemoryError } from "../../engine/device/errors.ts";
import { largestFit } from "../../engine/memory/largest-fit.ts";
import { Tensor } from "../../engine/tensor.ts";
import { evaluationBatch } from "../networks/forward.ts";
import { QualityNetwork } from "../networks/model.ts";
import { pictureInputs } from "../views/crop-inputs.ts";
import { type Inputs, strongInputs } from "../views/inputs.ts";

import { oneView, type ViewKind } from "../views/view-kind.ts";
import { type PlannedPicture, pairsInBatch, rowsIn } from "./batches.ts";
import { labelsOf } from "./labels.ts";
import type { Phase } from "./method.ts";
import type { StrongOptions, TrainingOptions } from "./options.ts";
import { rankedPictures } from "./prepare.ts";
import { Stepper } from "./stepper.ts";
import type { Progress, TrainingData } from "./training.ts";

/** The steps of one phase, before the first of them. */
interface PlannedSteps {
  readonly phase: Phase;
  /** Pictures in a batch, those of ranked pairs not counted. */
  readonly batch: number;
  /** Ranked pairs in a batch. */
  readonly pairs: number;
  /** Different pictures that the run loads. */
  readonly pictures: number;
}

function plannedSteps(phase: Phase, data: TrainingData, options: TrainingOptions): PlannedSteps {
  const { labelled, unlabelled, ranked, test, validation = [] } = data;
  const { batch } = phase;
  return {
    phase,
    batch:
      batch.unlabelled === 0
        ? Math.min(batch.labelled, labelled.length)
        : batch.labelled + Math.min(batch.unlabelled, unlabelled.length),
    pairs: pairsInBatch(ranked, options),
    pictures:
      rankedPictures(data, options).length + labelled.length + unlabelled.length + validation.length + test.length,
  };
}

/**
 * Makes sure that the steps of a phase fit the device's memory, by rehearsal. When the kept pictures are what does not fit,
 * fewer are kept.
 * @throws OutOfMemoryError naming the largest batch that fits
 */
export function expectFit(
  stepper: Stepper,
  inputs: Inputs,
  options: TrainingOptions,
  phase: Phase,
  data: TrainingData,
): void {
  const plan = plannedSteps(phase, data, options);
  const { tokenShare } = options;
  const { device } = stepper;
  const { batch, pairs } = plan;
  const run = (n: number, kept: number) => rehearse(stepper, inputs, tokenShare, { ...plan, batch: n }, kept);
  const leastKept = (n: number) => Math.max(rowsIn(batchOf(phase, n), phase.views) + 2 * pairs, evaluationBatch);
  const least = leastKept(batch);
  const most = Math.max(least, Math.min(inputs.capacity, plan.pictures));
  const kept = largestFit(device, least, most, (pictures) => run(batch, pictures));
  if (kept > 0) {
    if (kept < most || inputs.capacity < kept) inputs.capacity = kept;
    return;
  }
  const largest = largestFit(device, 2, batch, (n) => run(n, leastKept(n)));
  try {
    device.rehearse(() => run(batch, least));
  } catch (cause) {
    const fewer = pairs > 0 ? `; or take fewer \`rankPairs\` than ${pairs}` : "";
    const parts = phase.wholeBatches
      ? ""
      : `; or keep the batch and run it in parts: \`microBatch\` ${rowsIn(batchOf(phase, largest), phase.views)} or less`;
    const advice =
      largest > 0
        ? `the largest batch that fits is ${largest}: ${batchWords(phase, largest)}${parts}${fewer}`
        : "not even a batch of 2 fits: make the pictures smaller (`resize`, `crop`), use fewer `stages`, or allow more memory (`memoryLimitBytes`)" +
          fewer;
    const message = `${phase.name} does not fit with batches of ${batch} pictures: ${(cause as Error).message}`;
    throw new OutOfMemoryError(message, (cause as OutOfMemoryError).wantedBytes, advice, { cause });
  }
}

/** The options that make batches of a phase so large. */
function batchWords(phase: Phase, size: number): string {
  const { labelled, unlabelled, further } = batchOf(phase, size);
  const sizes = [labelled, unlabelled, further];
  return phase.batchOptions.map((name, i) => `\`${name}\` ${sizes[i]}`).join(" ");
}

/** A batch of a phase of so many pictures. */
function batchOf({ batch }: Phase, size: number): Required<Phase["batch"]> {
  const { labelled, unlabelled, further = 0 } = batch;
  if (unlabelled === 0) return { labelled: size, unlabelled: 0, further: 0 };
  const share = size / (labelled + unlabelled);
  const given = labelled === 0 ? 0 : Math.max(1, Math.floor(labelled * share));
  return { labelled: given, unlabelled: size - given, further: Math.ceil(further * share) };
}

/**
 * Device memory that the steps of a phase hold at most, in bytes, parameters and optimiser among it, by rehearsal: nothing is computed. With
 * `frozen` sections none is known, as what they make of pictures is not.
 */
export function phaseMemoryBytes(
  device: Device,
  phase: Phase,
  options: TrainingOptions & Partial<StrongOptions>,
  data: TrainingData,
): number | undefined {
  if (options.frozen > 0) return undefined;
  const card = { options, range: data.range, history: [], fresh: [] };
  const report = device.rehearse(() => {
    const model = new QualityNetwork(device, options, "zero");
    const inputs = pictureInputs(model, evaluationBatch, 0, strongInputs(options.strong, options.strongViews));
    const run = phase.begin({
      ...{ model, inputs, data, range: data.range, labels: labelsOf(data, model, card) },
      ...{ progress: emptyProgress(), hooks: {}, clock: () => () => 0 },
    });
    const stepper = new Stepper(model, inputs, card, { ...phase, task: run });
    const { tokenShare } = options;
    const plan = plannedSteps(phase, data, options);
    rehearse(stepper, inputs, tokenShare, plan, Math.max(rowsIn(phase.batch, phase.views), evaluationBatch));
    stepper.dispose();
    run.dispose?.();
    model.dispose();
  }, Number.POSITIVE_INFINITY);
  return report.peakBytes;
}

function emptyProgress(): Progress {
  return { phases: [], losses: [], refreshes: [], pseudoLabels: [], results: [], predictions: [], notes: [] };
}

/** Two steps with a batch of pictures while the store holds `kept`; the second step may need more than the first. */
function rehearse(
  stepper: Stepper,
  inputs: Inputs,
  tokenShare: number,
  { phase, batch, pairs }: PlannedSteps,
  kept: number,
): void {
  const { device } = stepper;
  const { views = oneView } = phase;
  const { labelled, unlabelled, further } = batchOf(phase, batch);
  const picture = () => device.owned("pictures", () => Tensor.empty(device, inputs.shape).keep());
  const stored = Array.from({ length: Math.max(1, kept - inputs.size) }, picture);
  const window = { top: 0, left: 0, flip: false };
  const row = (part: PlannedPicture["part"], view: ViewKind) => ({
    planned: {
      ...{ path: "", name: "", index: 0, window, part, ...(tokenShare < 1 && { tokens: 0 }) },
      ...(view === "strong" && { strong: 0 }),
      ...(view === "turned" && { quarters: 1 }),
    },
    tensor: stored[0]!,
  });
  const rows = (count: number, part: PlannedPicture["part"], shown: readonly ViewKind[]) =>
    Array.from({ length: count }, () => shown.map((view) => row(part, view))).flat();
  const pictures = [
    ...rows(pairs, "ranked", ["weak", "weak"]),
    ...rows(labelled, "labelled", views.labelled),
    ...rows(unlabelled, "unlabelled", views.unlabelled),
    ...rows(further, "further", views.further ?? []),
  ];
  stepper.rehearse(pictures, 2);
}

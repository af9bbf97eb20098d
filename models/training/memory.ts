import { OutOfMemoryError } from "../../engine/device/errors.ts";
import { largestFit } from "../../engine/memory/largest-fit.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { CplOptions } from "../methods/cpl/options.ts";
import type { Inputs } from "../views/inputs.ts";
import { evaluationBatch } from "../views/predict.ts";
import type { Stepper } from "./stepper.ts";

/** The steps of one stage, before the first of them. */
export interface PlannedSteps {
  readonly stage: 1 | 2;
  /** Pictures in a batch, those of ranked pairs not counted. */
  readonly batch: number;
  /** Ranked pairs in a batch. */
  readonly pairs: number;
  /** Different pictures that the run loads. */
  readonly pictures: number;
}

/**
 * Makes sure that the steps of a stage fit the device's memory, by rehearsal. When the kept pictures are what does not fit,
 * fewer are kept.
 * @throws OutOfMemoryError naming the largest batch that fits
 */
export function expectFit(stepper: Stepper, inputs: Inputs, options: CplOptions, plan: PlannedSteps): void {
  const { device } = stepper;
  const { batch, pairs, stage } = plan;
  const run = (n: number, kept: number) => rehearse(stepper, inputs, options, { ...plan, batch: n }, kept);
  const leastKept = (n: number) => Math.max(n + 2 * pairs, evaluationBatch);
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
    const part = pairs > 0 ? largest - (largest % 2) : largest;
    const fewer = pairs > 0 ? `; or take fewer \`rankPairs\` than ${pairs}` : "";
    const advice =
      largest > 0
        ? `the largest batch that fits is ${largest}: ${batchOptions(options, stage, largest)}; or keep the batch and run it in parts: \`microBatch\` ${part} or less${fewer}`
        : "not even a batch of 2 fits: make the pictures smaller (`resize`, `crop`), use fewer `stages`, or allow more memory (`memoryLimitBytes`)" +
          fewer;
    const message = `stage ${stage} does not fit with batches of ${batch} pictures: ${(cause as Error).message}`;
    throw new OutOfMemoryError(message, (cause as OutOfMemoryError).wantedBytes, advice, { cause });
  }
}

/** The options that make batches of a stage so large. */
function batchOptions(options: CplOptions, stage: 1 | 2, batch: number): string {
  if (stage === 1) return `\`stageOneBatch\` ${batch}`;
  const share = labelledShare(options, stage, batch);
  return `\`labelledBatch\` ${share} \`unlabelledBatch\` ${batch - share}`;
}

/** Labelled pictures in a batch of a stage. */
function labelledShare({ labelledBatch, unlabelledBatch }: CplOptions, stage: 1 | 2, batch: number): number {
  if (stage === 1) return batch;
  return Math.max(1, Math.floor((batch * labelledBatch) / (labelledBatch + unlabelledBatch)));
}

/** Two steps with a batch of pictures while the store holds `kept`; the second step may need more than the first. */
function rehearse(
  stepper: Stepper,
  inputs: Inputs,
  options: CplOptions,
  { stage, batch, pairs }: PlannedSteps,
  kept: number,
): void {
  const { device } = stepper;
  const { levels, tokenShare } = options;
  const picture = () => device.owned("pictures", () => Tensor.empty(device, inputs.shape).keep());
  const stored = Array.from({ length: Math.max(1, kept - inputs.size) }, picture);
  const window = { top: 0, left: 0, flip: false };
  const labelled = labelledShare(options, stage, batch);
  const pictures = Array.from({ length: 2 * pairs + batch }, (_, i) => ({
    planned: {
      ...{ path: "", name: "", index: 0, window, ...(tokenShare < 1 && { tokens: 0 }) },
      part: i < 2 * pairs ? "ranked" : i - 2 * pairs < labelled ? "labelled" : "unlabelled",
    } as const,
    tensor: stored[0]!,
  }));
  const labels = {
    targets: new Float32Array(batch * levels),
    weights: new Float32Array(batch),
    margins: new Float32Array(pairs),
    labelled,
  };
  stepper.rehearse(pictures, labels, 2);
}

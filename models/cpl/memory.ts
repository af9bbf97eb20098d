import type { Device } from "../../engine/device/device.ts";
import { OutOfMemoryError } from "../../engine/device/errors.ts";
import { largestFit } from "../../engine/memory/largest-fit.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { PictureStore } from "../data/index.ts";
import type { LoadedBatch } from "./batches.ts";
import { evaluationBatch } from "./predict.ts";

/** The steps of one stage, before the first of them. */
export interface PlannedSteps {
  /** "stage 1" or "stage 2". */
  readonly name: string;
  /** Pictures in a batch, and among them labelled ones. */
  readonly batch: number;
  readonly labelled: number;
  /** The options of the command line that set a batch. */
  readonly options: (batch: number) => string;
  /** Different pictures that the run loads. */
  readonly pictures: number;
  /** Side of the stored pictures, pixels. */
  readonly side: number;
  /** One training step, synchronous; called in a rehearsal only, with made-up pictures. */
  readonly step: (pictures: LoadedBatch["pictures"]) => unknown;
}

/**
 * Makes sure that the steps of a stage fit the device's memory, by rehearsal. When the kept pictures are what does not fit,
 * the store keeps fewer.
 * @throws OutOfMemoryError naming the largest batch that fits
 */
export function expectFit(device: Device, store: PictureStore, plan: PlannedSteps): void {
  const { name, batch, options } = plan;
  const least = leastKept(batch);
  const most = Math.max(least, Math.min(store.capacity, plan.pictures));
  const kept = largestFit(device, least, most, (pictures) => rehearse(device, store, plan, batch, pictures));
  if (kept > 0) {
    if (kept < most || store.capacity < kept) store.capacity = kept;
    return;
  }
  const largest = largestFit(device, 2, batch, (n) => rehearse(device, store, plan, n, leastKept(n)));
  try {
    device.rehearse(() => rehearse(device, store, plan, batch, least));
  } catch (cause) {
    const advice =
      largest > 0
        ? `the largest batch that fits is ${largest}: ${options(largest)}; or keep the batch and run it in parts: --micro-batch ${largest} or less`
        : "not even a batch of 2 fits: make the pictures smaller (--resize, --crop), use fewer --stages, or allow more memory (--memory)";
    const message = `${name} does not fit with batches of ${batch} pictures: ${(cause as Error).message}`;
    throw new OutOfMemoryError(message, (cause as OutOfMemoryError).wantedBytes, advice, { cause });
  }
}

/** Pictures that the store must keep for batches of training and of evaluation. */
function leastKept(batch: number): number {
  return Math.max(batch, evaluationBatch);
}

/** Two steps with `batch` pictures while the store holds `kept`; the second step may need more than the first. */
function rehearse(device: Device, store: PictureStore, plan: PlannedSteps, batch: number, kept: number): void {
  const { side, labelled } = plan;
  const picture = () => device.owned("pictures", () => Tensor.empty(device, [1, side, side, 3]).keep());
  const stored = Array.from({ length: Math.max(1, kept - store.size) }, picture);
  const window = { top: 0, left: 0, flip: false };
  const pictures = Array.from({ length: batch }, (_, i) => ({
    planned: { path: "", name: "", index: 0, labelled: i < labelled, window },
    tensor: stored[0]!,
  }));
  plan.step(pictures);
  plan.step(pictures);
}

import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { atLeast, subtract } from "../../../engine/ops/arithmetic.ts";
import { pad } from "../../../engine/ops/join.ts";
import { weightedMean } from "../../../engine/ops/losses.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { abs, square } from "../../../engine/ops/unary.ts";
import { writeRows } from "../../../engine/ops/write-rows.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { quantile } from "../../metrics/bootstrap.ts";
import { averageRanks } from "../../metrics/index.ts";
import type { HostArray, PhaseRun, StepLoss, StepPlace, Targets } from "../../training/method.ts";
import { DeviceState, filled } from "../parts/state.ts";

/** Figure: how far scores of weak views are from what their ranks make of them, in the mean over those that have a rank. */
export const distance = "distance from the aligned scores, share of the scale";

export interface RankAlignmentOptions {
  readonly rdaWeight: number;
  readonly rdaEvery: number;
  readonly rdaRamp: number;
  readonly epochs: number;
}

/**
 * RDA: scores of unlabelled pictures are to be spread as those of the labelled ones. The latest score of each is kept; before each epoch but
 * the first, and every `rdaEvery` steps, each is replaced by the quantile of the labels at its rank. Those are what weak views then learn.
 */
export class RankAlignment implements Pick<PhaseRun, "beforeStep" | "arrays" | "restore"> {
  /** [pictures, 2]: the latest score, as a share of the scale, and 1 when there is one. */
  readonly #state: DeviceState<"scores">;
  readonly #labels: Float64Array;
  readonly #options: RankAlignmentOptions;
  /** By picture, NaN for one that has no score yet; and before which step of the phase they were made. */
  #aligned: { readonly scores: Float32Array<ArrayBuffer>; readonly step: number } | undefined;

  /** @param labels scores of the labelled pictures, as shares of the scale */
  constructor(device: Device, pictures: number, labels: ArrayLike<number>, options: RankAlignmentOptions) {
    this.#state = new DeviceState(device, "rankup", { scores: filled(0, [pictures, 2]) });
    this.#labels = Float64Array.from(labels).sort();
    this.#options = options;
  }

  async beforeStep({ step, steps, epoch }: StepPlace): Promise<void> {
    if (epoch === 0) return;
    const { rdaEvery, epochs } = this.#options;
    const before = this.#aligned?.step ?? -1;
    const isCrossed = (every: number) => Math.floor(step / every) > Math.floor(before / every);
    if (!isCrossed(rdaEvery) && !isCrossed(steps / epochs)) return;
    this.#aligned = { scores: alignedScores(await this.#state.get("scores").read(), this.#labels), step };
  }

  /**
   * What {@link loss} reads: which pictures they are, their aligned scores, what each weighs in the loss, and in the mean distance.
   * @param pictures places of the batch's unlabelled pictures
   */
  targets(pictures: readonly number[], { step, steps, epoch }: StepPlace): Targets {
    const { rdaWeight, rdaRamp } = this.#options;
    const ramp = rdaRamp > 0 ? Math.min(1, step / (rdaRamp * steps)) : 1;
    const scores = pictures.map((picture) => (epoch > 0 ? this.#aligned?.scores[picture] : undefined) ?? Number.NaN);
    const known = scores.filter((score) => !Number.isNaN(score)).length;
    const shape = [pictures.length];
    const whereKnown = (value: number) => ({
      data: Float32Array.from(scores, (score) => (Number.isNaN(score) ? 0 : value)),
      shape,
    });
    return {
      pictures: { data: Uint32Array.from(pictures), shape },
      aligned: { data: Float32Array.from(scores, (score) => (Number.isNaN(score) ? 0 : score)), shape },
      alignedWeights: whereKnown((rdaWeight * ramp) / pictures.length),
      alignedShares: whereKnown(1 / known),
    };
  }

  /**
   * w min(1, t / (`rdaRamp` T)) (1/U) Σ_b (s_b − aligned_b)², with w `rdaWeight`, in step t of T. Keeps the scores s.
   * @param shares s, [U, 1], of the weak views
   */
  loss(
    shares: Tensor,
    { pictures, aligned, alignedWeights, alignedShares }: Readonly<Record<string, Tensor>>,
  ): StepLoss {
    const { device, size } = shares;
    withoutGradients(() => {
      const flat = reshape(shares, [size]);
      const isNumber = atLeast(flat, Tensor.constant(device, Float32Array.of(-3e38), [1]));
      writeRows(this.#state.get("scores"), pad(shares, [0, 0], [0, 1], 1), pictures!, isNumber);
    });
    const off = subtract(reshape(shares, [size]), aligned!);
    return {
      loss: weightedMean(square(off), alignedWeights!, 1),
      figures: withoutGradients(() => ({ [distance]: weightedMean(abs(off), alignedShares!, 1) })),
    };
  }

  arrays(): Record<string, HostArray> {
    if (!this.#aligned) return {};
    const { scores, step } = this.#aligned;
    return {
      "rankup.aligned": { data: scores, shape: [scores.length] },
      "rankup.alignedStep": { data: Float32Array.of(step), shape: [1] },
    };
  }

  async restore(read: (name: string) => Promise<Float32Array<ArrayBuffer> | undefined>): Promise<void> {
    const [scores, step] = [await read("rankup.aligned"), await read("rankup.alignedStep")];
    if (scores && step) this.#aligned = { scores, step: step[0]! };
  }

  tensors(): NamedTensor[] {
    return this.#state.tensors();
  }

  dispose(): void {
    this.#state.dispose();
  }
}

/**
 * For each picture with a score the quantile of the labels at rank / (N − 1), ranks from 0 among the N that have one, between the two nearest
 * labels in proportion; equal scores share their mean rank, and one alone has the median.
 * @param found [pictures, 2], row-major: score, and 1 when there is one @param labels sorted
 * @returns NaN for a picture without a score
 */
export function alignedScores(found: ArrayLike<number>, labels: Float64Array): Float32Array<ArrayBuffer> {
  const aligned = new Float32Array(found.length / 2).fill(Number.NaN);
  const seen = [...aligned.keys()].filter((picture) => found[2 * picture + 1]! > 0);
  const ranks = averageRanks(seen.map((picture) => found[2 * picture]!));
  seen.forEach((picture, i) => {
    aligned[picture] = quantile(labels, seen.length > 1 ? (ranks[i]! - 1) / (seen.length - 1) : 0.5);
  });
  return aligned;
}

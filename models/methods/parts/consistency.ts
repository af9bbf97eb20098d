import { withoutGradients } from "../../../engine/autograd.ts";
import { atLeast, multiply } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { gatherRows } from "../../../engine/ops/gather.ts";
import { slice } from "../../../engine/ops/join.ts";
import { softCrossEntropy, weightedMean } from "../../../engine/ops/losses.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { softmax } from "../../../engine/ops/softmax.ts";
import { argmax, topK } from "../../../engine/ops/top-k.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { classShapes } from "../../labels/label-shapes.ts";
import type { StepLoss } from "../../training/method.ts";
import { ones } from "./constants.ts";

/** Figure: the share of a batch's pseudo-labels that counts; with weights from 0 to 1 their mean. */
export const taken = "share of pseudo-labels taken";
/** Figure: the share of a batch's pictures that count and are called the same by their strong view. */
export const agreed = "share taken and agreed with by the strong view";

/** What unlabelled pictures are to be called, and which of them count. */
export interface Guess {
  /** [U, m]: one level, or a distribution; rows add up to 1. */
  readonly target: Tensor;
  /** [U]: 1 for a picture that counts, else 0. */
  readonly mask: Tensor;
  /** [U, m]: what is learnt in the target's place, of {@link smoothed}. */
  readonly smooth?: Tensor;
}

/** One-hot rows of the most probable levels, the first of equal ones. q: [U, m] → [U, m]. */
export function hard(q: Tensor): Tensor {
  const levels = q.shape[1]!;
  return gatherRows(Tensor.constant(q.device, classShapes(levels), [levels, levels]), argmax(q));
}

/** The largest share of each row. q: [U, m] → [U]. */
export function largest(q: Tensor): Tensor {
  return reshape(topK(q, 1).values, [q.shape[0]!]);
}

/** 1 where the largest share of a row is at least the threshold, [1] or [U], else 0. q: [U, m] → [U]. */
export function confident(q: Tensor, threshold: Tensor): Tensor {
  return atLeast(largest(q), threshold);
}

/** That of its class for each row. target: [U, m], one-hot rows; byClass: [m] → [U]. */
export function ofClass(target: Tensor, byClass: Tensor): Tensor {
  return sum(multiply(target, byClass), 1);
}

/** Probabilities of logits at a temperature: softmax(z / T). [U, m] → [U, m]. */
export function sharpened(logits: Tensor, temperature: number): Tensor {
  return softmax(temperature === 1 ? logits : scale(logits, 1 / temperature));
}

/** (1/size) Σ_b k_b · −Σ_c t_bc ln p_bc → [1]: the mean over all unlabelled pictures of the batch, those that do not count being 0. */
export function consistencyLoss(strong: Tensor, { target, mask, smooth = target }: Guess, size: number): Tensor {
  return weightedMean(softCrossEntropy(strong, smooth), mask, size);
}

/** The part of a {@link Guess} that spreads one class over its neighbours, as labels of classes are. target: [U, m], one-hot rows. */
export function smoothed(target: Tensor, sigma = 0): Pick<Guess, "smooth"> {
  if (sigma === 0) return {};
  const levels = target.shape[1]!;
  return { smooth: matmul(target, Tensor.constant(target.device, classShapes(levels, sigma), [levels, levels])) };
}

/**
 * λ times {@link consistencyLoss}, and what its guesses are like.
 * @param figures further ones, made without gradients
 */
export function learnt(
  strong: Tensor,
  guess: Guess,
  size: number,
  weight: number,
  figures: () => Readonly<Record<string, Tensor>> = () => ({}),
): StepLoss {
  return {
    loss: scale(consistencyLoss(strong, guess, size), weight),
    figures: withoutGradients(() => ({
      [taken]: keptShare(guess, size),
      [agreed]: agreement(strong, guess, size),
      ...figures(),
    })),
  };
}

/** Name of the figure of one class, 0 being the first. */
const classFigure = (name: string, level: number) => `${name}, class ${level + 1}`;

/** Names of figures by class; of many levels none. */
export function classFigures(name: string, levels: number): string[] {
  return levels <= 10 ? Array.from({ length: levels }, (_, level) => classFigure(name, level)) : [];
}

/** The figures that {@link classFigures} names. values: [m]. */
export function byClass(name: string, values: Tensor): Record<string, Tensor> {
  const names = classFigures(name, values.size);
  return Object.fromEntries(names.map((figure, level) => [figure, slice(values, [level], [level + 1])]));
}

/** Share of the batch's pictures that count, [1]. */
export function keptShare({ mask }: Guess, size: number): Tensor {
  return weightedMean(mask, ones(mask), size);
}

/** Share of the batch's pictures that count and whose most probable level by `logits` is the guessed one, [1]. */
export function agreement(logits: Tensor, { target, mask }: Guess, size: number): Tensor {
  const same = multiply(hard(logits), target);
  return weightedMean(reshape(topK(same, 1).values, [mask.size]), mask, size);
}

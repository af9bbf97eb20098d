import { withoutGradients } from "../../../engine/autograd.ts";
import { subtract } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { transpose } from "../../../engine/ops/shape.ts";
import { scale, square } from "../../../engine/ops/unary.ts";
import type { Tensor } from "../../../engine/tensor.ts";

/** (1/B) Σ (s − t)² of scores [B, 1], t without gradient → [1]. */
export function scoreConsistency(student: Tensor, teacher: Tensor): Tensor {
  return scale(sum(square(subtract(student, teacher))), 1 / student.shape[0]!);
}

/** What pictures of a batch have to do with each other: rows of the Gram matrix F Fᵀ, of length 1. F: [B, d] → [B, B]. */
function relations(features: Tensor): Tensor {
  return l2Normalise(matmul(features, transpose(features)));
}

/** ‖N(F_s F_sᵀ) − N(F_t F_tᵀ)‖² / B, N of rows, F_t without gradient. [B, d] and [B, d′] → [1]. */
export function relationConsistency(student: Tensor, teacher: Tensor): Tensor {
  const known = withoutGradients(() => relations(teacher));
  return scale(sum(square(subtract(relations(student), known))), 1 / student.shape[0]!);
}

/** exp(−5 (1 − t / T)²) at step t, and 1 from T on, T being a share of the steps (Laine & Aila 2017). */
export function rampAt(share: number, { step, steps }: { readonly step: number; readonly steps: number }): number {
  const rest = share > 0 ? 1 - Math.min(1, step / (share * steps)) : 0;
  return Math.exp(-5 * rest * rest);
}

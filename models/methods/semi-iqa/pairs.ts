import { add, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { concat } from "../../../engine/ops/join.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { normalCdf, scale, sqrt } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { constant } from "../parts/constants.ts";

/** ε under the roots, which keeps slopes finite. */
const epsilon = 1e-8;

/** Pairs of rows: the first is compared with the second. */
export type Pairs = readonly (readonly [first: number, second: number])[];

/** Each two of so many rows, once. */
export function allPairs(rows: number): Pairs {
  return Array.from({ length: rows }, (_, i) => i).flatMap((i) =>
    Array.from({ length: rows - i - 1 }, (_, k) => [i, i + k + 1] as const),
  );
}

/** Probabilities of each pair that the first is better, and that the second is, both to the last digits of small ones. */
interface Preferences {
  /** Φ((q_first − q_second) / √2). */
  readonly first: Tensor;
  readonly second: Tensor;
}

/** Thurstone's model with unit variances: what scores say of pairs. q: [N, K] → [P, K], a column for each scorer. */
export function preferences(q: Tensor, pairs: Pairs): Preferences {
  const [rows, columns] = q.shape as [number, number];
  const data = new Float32Array(pairs.length * rows);
  pairs.forEach(([first, second], pair) => {
    data[pair * rows + first] = Math.SQRT1_2;
    data[pair * rows + second] = -Math.SQRT1_2;
  });
  const difference = reshape(matmul(Tensor.constant(q.device, data, [pairs.length, rows]), q), [pairs.length, columns]);
  return { first: normalCdf(difference), second: normalCdf(scale(difference, -1)) };
}

/** √(a b + ε) */
const root = (a: Tensor, b: Tensor) => sqrt(add(multiply(a, b), constant(a, epsilon)));

/** Fidelity loss 1 − √(p g + ε) − √((1 − p)(1 − g) + ε) of probabilities, element by element (Tsai et al. 2007). */
function fidelity(p: Preferences, g: Preferences): Tensor {
  return subtract(constant(p.first, 1), add(root(p.first, g.first), root(p.second, g.second)));
}

/**
 * What an ensemble and its heads have to learn of pairs with known preferences: Σ_p w_p [ l(p_ensemble, g_p) + (1/M) Σ_k l(p_k, g_p) ],
 * l the {@link fidelity} loss and the ensemble's score the mean of its heads'.
 * @param scores of the heads, [N, M]
 * @param known g, [P, 1], that the first of each pair is the better one
 * @param weights w, [P, 1]
 * @returns [1]
 */
export function preferenceLoss(scores: Tensor, pairs: Pairs, known: Tensor, weights: Tensor): Tensor {
  const [rows, heads] = scores.shape as [number, number];
  const { device } = scores;
  const all = concat([reshape(mean(scores, 1), [rows, 1]), scores], 1);
  const g = { first: known, second: subtract(constant(known, 1), known) };
  const byScorer = Tensor.constant(device, new Float32Array(heads + 1).fill(1 / heads).fill(1, 0, 1), [heads + 1, 1]);
  const losses = matmul(fidelity(preferences(all, pairs), g), byScorer);
  return sum(multiply(losses, weights));
}

/**
 * How much the heads of an ensemble disagree on pairs: the mean over pairs of pictures and pairs of heads of the fidelity distance
 * between what they say. scores: [N, M], N and M at least 2 → [1].
 */
export function diversity(scores: Tensor, pairs: Pairs): Tensor {
  const heads = scores.shape[1]!;
  const of = allPairs(heads);
  const chosen = (place: 0 | 1) => {
    const data = new Float32Array(heads * of.length);
    of.forEach((pair, column) => {
      data[pair[place] * of.length + column] = 1;
    });
    return Tensor.constant(scores.device, data, [heads, of.length]);
  };
  const p = preferences(scores, pairs);
  const by = (place: 0 | 1) => ({ first: matmul(p.first, chosen(place)), second: matmul(p.second, chosen(place)) });
  return mean(fidelity(by(0), by(1)));
}

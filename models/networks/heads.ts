import { matmul } from "../../engine/ops/contraction/matmul.ts";
import { mean } from "../../engine/ops/reduce.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { softmax } from "../../engine/ops/softmax.ts";
import { Tensor } from "../../engine/tensor.ts";
import { PictureError } from "../data/pictures/picture-error.ts";
import type { MosRange } from "../data/range.ts";
import { classShapes } from "../labels/label-shapes.ts";
import { classCentres, classOf, convert, scoreSet, shareOf } from "../labels/labels.ts";
import type { LabelOptions } from "../labels/options.ts";
import { classScoreOf, ensembleScoreOf, type Score, scoreOf, shareScoreOf } from "../labels/score.ts";
import { cumulativeClassShare, cumulativeShare } from "../metrics/distributions.ts";

/**
 * What the last layer of a network gives of a picture, and what becomes of it. An answer is what is read of a view; that of
 * several views is their {@link meanOf}.
 */
export interface Head {
  /** Numbers of an answer, and of a label. @param levels the option */
  readonly length: (levels: number) => number;
  /** What the biases of the last layer start at; absent where they are drawn. */
  readonly start?: number;
  /** What the last layer gives → answers; both [N, length]. */
  readonly answers: (logits: Tensor) => Tensor;
  /** What the last layer gives → expected scores as shares of the scale, [N, 1], on the tape. */
  readonly shares: (logits: Tensor) => Tensor;
  /** Why numbers are no answer; undefined when they are one. */
  readonly fault: (answer: Float32Array) => string | undefined;
  readonly score: (answer: ArrayLike<number>, range: MosRange) => Score;
  /** How much of an answer lies below a place of the scale, 0 to 1; absent where answers are no probabilities. */
  readonly shareBelow?: (answer: ArrayLike<number>, at: number) => number;
  /**
   * Labels [n, length], row-major, of scores on [1, 100].
   * @param deviations of the opinions on each, same units, for the label mode that takes them
   * @throws RangeError when a score lies outside
   */
  readonly labels: (
    scores: readonly number[],
    options: LabelOptions & { readonly levels: number },
    deviations?: readonly (number | undefined)[],
  ) => Float32Array;
}

/** What heads have in common whose last layer gives logits. @param members scores on [1, 100] that the entries stand for */
const ofProbabilities = (members: (levels: number) => Float64Array) => ({
  length: (levels: number) => levels,
  answers: (logits: Tensor) => softmax(logits),
  shares: (logits: Tensor) => {
    const levels = logits.shape[1]!;
    const shares = Float32Array.from(members(levels), shareOf);
    return matmul(softmax(logits), Tensor.constant(logits.device, shares, [levels, 1]));
  },
  fault: (answer: Float32Array) => {
    const sum = answer.reduce((total, share) => total + share, 0);
    if (Math.abs(sum - 1) <= 1e-3) return undefined;
    const wrong = notFinite(answer);
    const found = wrong > 0 ? `${wrong} of ${answer.length} are not finite` : `they add up to ${sum}`;
    return `The model gives it no probabilities: ${found}.`;
  },
});

/**
 * Probabilities of ordered classes, the lowest first, from logits [N, C].
 * @param edges where they meet, on [1, 100]; none for equal widths
 */
const ofClasses = (edges: readonly number[]) => {
  const shares = edges.map(shareOf);
  return {
    ...ofProbabilities((levels) => classCentres(levels, edges)),
    score: (answer: ArrayLike<number>, range: MosRange) => classScoreOf(answer, range, edges),
    shareBelow: (answer: ArrayLike<number>, at: number) => cumulativeClassShare(answer, at, shares),
    labels: (scores: readonly number[], { levels, ordinal }: LabelOptions & { readonly levels: number }) => {
      const shapes = classShapes(levels, ordinal);
      const rows = new Float32Array(scores.length * levels);
      scores.forEach((score, i) => {
        const own = classOf(score, levels, edges);
        rows.set(shapes.subarray(own * levels, (own + 1) * levels), i * levels);
      });
      return rows;
    },
  } satisfies Head;
};

/** Every kind of head by the word of the option `head`, the default first. */
export const heads = {
  /** A distribution over the score set, from logits [N, m]. */
  distribution: {
    ...ofProbabilities(scoreSet),
    score: scoreOf,
    shareBelow: cumulativeShare,
    labels: (
      scores,
      { labelMode: mode, levels, labelDeviation: deviation },
      deviations?: readonly (number | undefined)[],
    ) => convert(scores, { mode, levels, deviation, deviations }),
  },
  /** A score [N, 1], as a share of the scale; it may lie a little beyond the ends. */
  score: {
    length: () => 1,
    // The middle of the scale: from 0 the first epochs would go to getting there.
    start: 0.5,
    answers: (logits) => logits,
    shares: (logits) => logits,
    fault: (answer) => (notFinite(answer) > 0 ? `The model gives it the score ${answer[0]}.` : undefined),
    score: (answer, range) => shareScoreOf(answer[0]!, range),
    labels: (scores) => Float32Array.from(scores, shareOf),
  },
  /** Scores [N, M] of M linear heads, as shares of the scale; the score is their mean. */
  ensemble: {
    length: (levels) => levels,
    start: 0.5,
    answers: (logits) => logits,
    shares: (logits) => reshape(mean(logits, 1), [logits.shape[0]!, 1]),
    fault: (answer) => {
      const wrong = notFinite(answer);
      return wrong > 0 ? `${wrong} of the model's ${answer.length} heads give it no finite score.` : undefined;
    },
    score: ensembleScoreOf,
    labels: (scores, { levels }) => Float32Array.from(scores.flatMap((score) => Array(levels).fill(shareOf(score)))),
  },
  /** Probabilities of classes that cut the scale into equal widths; where it is cut elsewhere, see {@link headOf}. */
  classes: ofClasses([]),
} as const satisfies Record<string, Head>;

export type HeadName = keyof typeof heads;

export const headNames = Object.keys(heads) as [HeadName, ...HeadName[]];

/** The head that options ask for. */
export function headOf({
  head,
  classEdges = [],
}: {
  readonly head: HeadName;
  readonly classEdges?: readonly number[] | undefined;
}): Head {
  return head === "classes" && classEdges.length > 0 ? ofClasses(classEdges) : heads[head];
}

/** Whether networks with the head give probabilities. */
export function givesProbabilities(head: HeadName): boolean {
  return "shareBelow" in heads[head];
}

function notFinite(answer: Float32Array): number {
  return answer.filter((value) => !Number.isFinite(value)).length;
}

/** An answer. @throws PictureError "no-score" when the numbers are none */
export function checked(head: Head, answer: Float32Array, name: string): Float32Array {
  const fault = head.fault(answer);
  if (fault === undefined) return answer;
  throw new PictureError(name, "no-score", fault);
}

/** Mean of answers, element by element. */
export function meanOf(answers: readonly Float32Array[]): Float32Array {
  return Float32Array.from(answers[0]!, (_, j) => {
    let sum = 0;
    for (const answer of answers) sum += answer[j]!;
    return sum / answers.length;
  });
}

import {
  belowOne,
  type Checks,
  expectArgument,
  expectOptions,
  extent,
  oneOf,
  ShapeError,
  whole,
} from "../arguments.ts";
import { recordFlat, withoutGradients } from "../autograd.ts";
import { Tensor } from "../tensor.ts";
import { add, divide, multiply } from "./arithmetic.ts";
import { combine } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { less, logicalAnd, notEqual, where } from "./compare.ts";
import { gather, gatherElements } from "./gather-axis.ts";
import { expectTensors, operand, wholes } from "./operands.ts";
import { sum } from "./reduce.ts";
import { reshape } from "./shape.ts";
import { logSoftmax } from "./softmax.ts";

/**
 * y[…, c] = 1 where indices[…] = c, else 0. indices: u32 or i32 […] → f32 […, depth]. An index below 0, of `depth` or above gives zeros. No
 * gradient.
 * @throws ShapeError when the indices are not whole numbers or the depth is not a whole number of at least 1
 */
export function oneHot(indices: Tensor, depth: number): Tensor {
  expectTensors("oneHot", { indices }, { indices: wholes });
  expectArgument("oneHot", "the depth", depth, extent);
  using classes = Tensor.constant(
    indices.device,
    Uint32Array.from({ length: depth }, (_, c) => c),
    [depth],
  );
  // Of i32 what is below 0 is above every class.
  using whole = cast(indices, "u32");
  using column = whole.alias([...indices.shape, 1]);
  return recordFlat("oneHot", [indices], combine("equal", "oneHot", { a: column, b: classes }));
}

export interface SparseCrossEntropyOptions {
  /** Rows with this label count nothing, as do those with a label that is no class. */
  readonly ignoreIndex?: number;
  /** A factor for the loss of each class, [C]; gets no gradient. */
  readonly classWeights?: Tensor;
  /** Share of the target that is spread evenly over all classes, 0 … below 1 (Szegedy et al. 2016). */
  readonly labelSmoothing?: number;
  /** The mean over what counts, by weight of its class (the default), the sum, or a loss for each row. */
  readonly reduction?: "mean" | "sum" | "none";
}

const checks: Checks<SparseCrossEntropyOptions> = {
  ignoreIndex: whole(-(2 ** 31), 2 ** 32 - 1),
  classWeights: operand,
  labelSmoothing: belowOne,
  reduction: oneOf("mean", "sum", "none"),
};

/**
 * Cross-entropy with labels by number: −w_y ln p_y for each row, p = softmax(logits), as `torch.nn.functional.cross_entropy`. logits: […, C],
 * labels: u32 or i32 […] → [1], or […] without reduction. The mean is over Σ w_y; NaN where no row counts.
 * @throws ShapeError when the labels are not whole numbers or do not fit the logits, or the weights are not [C]
 */
export function sparseCrossEntropy(logits: Tensor, labels: Tensor, options: SparseCrossEntropyOptions = {}): Tensor {
  expectOptions("sparseCrossEntropy", options, checks);
  const { classWeights, ignoreIndex, labelSmoothing = 0, reduction = "mean" } = options;
  const tensors = { logits, labels, ...(classWeights && { classWeights }) };
  expectTensors("sparseCrossEntropy", tensors, { labels: wholes });
  const classes = logits.shape.at(-1)!;
  const fits = logits.rank === labels.rank + 1 && labels.shape.every((n, d) => n === logits.shape[d]);
  const flat = labels.size * classes === logits.size && logits.rank === 1 && labels.size === 1;
  if ((!fits && !flat) || classes === 0)
    throw new ShapeError(
      `sparseCrossEntropy takes logits […, C] and labels […]; found [${logits.shape}], [${labels.shape}]`,
    );
  if (classWeights && (classWeights.rank !== 1 || classWeights.size !== classes))
    throw new ShapeError(`sparseCrossEntropy: class weights [${classWeights.shape}] for ${classes} classes`);
  return reduced(logits, labels, { classWeights, ignoreIndex, labelSmoothing, reduction });
}

type Settings = Required<Pick<SparseCrossEntropyOptions, "labelSmoothing" | "reduction">> & {
  readonly classWeights: Tensor | undefined;
  readonly ignoreIndex: number | undefined;
};

/** −((1 − ε) w_y ln p_y + ε/C Σ_c w_c ln p_c) for each row that counts, put together. */
function reduced(logits: Tensor, labels: Tensor, settings: Settings): Tensor {
  const { classWeights, ignoreIndex, labelSmoothing, reduction } = settings;
  const classes = logits.shape.at(-1)!;
  // Of i32 what is below 0 is above every class.
  const list = reshape(labels.dtype === "i32" ? cast(labels, "u32") : labels, [labels.size]);
  const inside = less(list, classes);
  const counts = ignoreIndex === undefined ? inside : logicalAnd(inside, notEqual(list, ignoreIndex >>> 0));
  const logarithms = logSoftmax(reshape(logits, [list.size, classes]));
  const own = reshape(gatherElements(logarithms, reshape(list, [list.size, 1]), 1), [list.size]);
  const factors = classWeights && withoutGradients(() => gather(classWeights, list));
  const hits = factors ? multiply(own, factors) : own;
  const spread = () => sum(classWeights ? multiply(logarithms, withoutTape(classWeights)) : logarithms, 1);
  const all =
    labelSmoothing > 0
      ? add(multiply(hits, labelSmoothing - 1), multiply(spread(), -labelSmoothing / classes))
      : multiply(hits, -1);
  const rows = where(counts, all, 0);
  if (reduction === "none") return reshape(rows, labels.shape);
  if (reduction === "sum") return sum(rows);
  return divide(
    sum(rows),
    withoutGradients(() => sum(where(counts, factors ?? 1, 0))),
  );
}

/** The same numbers, of which no gradient is asked. */
function withoutTape(x: Tensor): Tensor {
  return withoutGradients(() => multiply(x, 1));
}

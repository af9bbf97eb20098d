import { type Checks, expectOptions, finite, flag } from "../arguments.ts";
import { record } from "../autograd.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { attentionByParts } from "./attention-by-parts.ts";
import { backward, forward, type Layout, type Triple } from "./attention-kernels.ts";
import { where } from "./compare.ts";
import { slice } from "./join.ts";
import { expectOperands, operand, stored } from "./operands.ts";
import { broadcastTo } from "./rearrange.ts";
import { reshape, upToFour, withColumns } from "./shape.ts";

export interface AttentionOptions {
  /** Factor of q·k before the softmax; 1/√D unless given. */
  readonly scale?: number;
  /** Added to the scores before the softmax; −∞ hides a key. Its shape is broadcast to [B, heads, T, S]. */
  readonly bias?: Tensor;
  /** Which keys a query sees: where it is not 0, of any type. Its shape is broadcast to [B, heads, T, S]. */
  readonly mask?: Tensor;
  /** Query i sees the keys up to i alone; false unless given. */
  readonly causal?: boolean;
}

const checks: Checks<AttentionOptions> = { scale: finite, bias: operand, mask: operand, causal: flag };

/** Longest row of one head that the kernels keep in registers. */
const mostDimensions = 256;

/**
 * y = softmax(scale · q · kᵀ + bias) · v for each head (Vaswani et al. 2017, equation 1), tile by tile: memory grows with T,
 * not with T². q: [B, T, heads, D], k: [B, S, key heads, D], v: [B, S, key heads, E] → [B, T, heads, E]; D and E up to 256. Of fewer key heads each
 * serves `heads / key heads` neighbouring heads of q (Ainslie et al. 2023). A query that sees no key has zeros. A bias that asks for a
 * gradient is added to scores that are kept, which takes memory for all of them.
 * @throws ShapeError when the extents do not fit
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  expectOptions("attention", options, checks);
  expectOperands("attention", { q, k, v });
  const fits =
    [q, k, v].every((x) => x.rank === 4) &&
    k.shape.every((extent, axis) => axis === 1 || axis === 2 || extent === q.shape[axis]) &&
    k.shape.every((extent, axis) => axis === 3 || extent === v.shape[axis]) &&
    q.shape[2]! % k.shape[2]! === 0;
  if (!fits) {
    throw new ShapeError(
      `attention takes q [B, T, heads, D], k [B, S, key heads, D] and v [B, S, key heads, E], the key heads a divisor of the heads; found [${q.shape}], [${k.shape}], [${v.shape}]`,
    );
  }
  const [batch, queries, heads, dimensions] = q.shape as [number, number, number, number];
  const [, keys, keyHeads] = k.shape as [number, number, number, number];
  const values = v.shape[3]!;
  // Of other values the shorter rows end in zeros, which change no product.
  const width = rowWidth(Math.max(dimensions, values));
  const scale = options.scale ?? 1 / Math.sqrt(dimensions);
  const { causal = false } = options;
  const bias = biasOf("attention", options, [batch, heads, queries, keys]);
  if (bias?.tracked) return attentionByParts(q, k, v, { scale, causal, bias });
  const layout: Layout = {
    ...{ batch, queries, keys, heads, width, scale, causal, bias },
    share: heads / keyHeads,
    qStride: heads * width,
    keyStride: keyHeads * width,
    offsets: [0, 0, 0],
  };
  const [wideQ, wideK, wideV] = [filled(q, width), filled(k, width), filled(v, width)];
  const { y, logSums } = forward([wideQ, wideK, wideV], layout);
  // dS = P ∘ (dY·Vᵀ − rowsum(dY ∘ Y))    dQ = scale · dS·K    dK = scale · dSᵀ·Q    dV = Pᵀ·dY
  return record(["attention", { scale, ...options }], [q, k, v], cut(y, values), (dy) => {
    const gradients: Triple = [Tensor.like(wideQ), Tensor.like(wideK), Tensor.like(wideV)];
    backward([wideQ, wideK, wideV], y, filled(dy, width), logSums, gradients, layout);
    return gradients.map((gradient, i) => cut(gradient, i === 2 ? values : dimensions));
  });
}

/** Rows of a head filled with zeros to so many vec4s. Not recorded. */
function filled(x: Tensor, width: number): Tensor {
  return x.shape.at(-1) === 4 * width ? x : withColumns(x, 4 * width);
}

/** The first numbers of each row. Not recorded. */
function cut(x: Tensor, dimensions: number): Tensor {
  return x.shape.at(-1) === dimensions ? x : withColumns(x, dimensions);
}

/** Mask and bias as one bias with an axis for each of [B, heads, T, S], of which all but the last may be 1. */
function biasOf(
  operation: string,
  { bias, mask }: AttentionOptions,
  whole: readonly [number, number, number, number],
): Tensor | undefined {
  expectOperands(operation, { ...(bias && { bias }), ...(mask && { mask }) }, { mask: stored });
  const given = mask ? where(mask, bias ?? 0, Number.NEGATIVE_INFINITY) : bias;
  if (!given) return undefined;
  const shape = [...Array<number>(Math.max(0, 4 - given.rank)).fill(1), ...given.shape];
  if (given.rank > 4 || shape.some((extent, axis) => extent !== 1 && extent !== whole[axis])) {
    throw new ShapeError(`${operation}: bias or mask [${given.shape}] does not go with scores [${whole}]`);
  }
  if (given.rank === 4 && shape[3] === whole[3]) return given;
  return broadcastTo(given, shape.with(3, whole[3]));
}

/**
 * {@link attention} of q, k and v that lie beside each other, as one linear layer makes them, without copies.
 * qkv: [B, T, 3, heads, D] → [B, T, heads, D]; D up to 256.
 * @throws ShapeError when the extents do not fit
 */
export function selfAttention(qkv: Tensor, options: AttentionOptions = {}): Tensor {
  expectOptions("selfAttention", options, checks);
  expectOperands("selfAttention", { qkv });
  if (qkv.rank !== 5 || qkv.shape[2] !== 3) {
    throw new ShapeError(`selfAttention takes [B, T, 3, heads, D], found ${qkv.dtype} [${qkv.shape}]`);
  }
  const [batch, tokens, , heads, dimensions] = qkv.shape as [number, number, number, number, number];
  const width = rowWidth(dimensions);
  const span = heads * width;
  const scale = options.scale ?? 1 / Math.sqrt(dimensions);
  const { causal = false } = options;
  const bias = biasOf("selfAttention", options, [batch, heads, tokens, tokens]);
  if (bias?.tracked) {
    const part = (i: number) => reshape(slice(qkv, [0, 0, i, 0, 0], [batch, tokens, i + 1, heads, dimensions]), apart);
    const apart = [batch, tokens, heads, dimensions];
    return attentionByParts(part(0), part(1), part(2), { scale, causal, bias });
  }
  const layout: Layout = {
    ...{ batch, queries: tokens, keys: tokens, heads, width, scale, causal, bias },
    share: 1,
    qStride: 3 * span,
    keyStride: 3 * span,
    offsets: [0, span, 2 * span],
  };
  const wide = filled(qkv, width);
  const { y, logSums } = forward([wide, wide, wide], layout);
  // As for attention; the three gradients lie like their operands.
  return record(["selfAttention", { scale, ...options }], [qkv], cut(y, dimensions), (dy) => {
    const dqkv = Tensor.like(wide);
    backward([wide, wide, wide], y, filled(dy, width), logSums, [dqkv, dqkv, dqkv], layout);
    return [cut(dqkv, dimensions)];
  });
}

function rowWidth(dimensions: number): number {
  if (dimensions > mostDimensions)
    throw new ShapeError(`attention: a head has ${dimensions} dimensions; up to ${mostDimensions} fit`);
  return upToFour(dimensions) / 4;
}

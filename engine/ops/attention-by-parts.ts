import { Tensor } from "../tensor.ts";
import { add, multiply } from "./arithmetic.ts";
import { batchedMatmul } from "./contraction/batched.ts";
import { permute } from "./join.ts";
import { repeat } from "./rearrange.ts";
import { reshape, transpose } from "./shape.ts";
import { softmax } from "./softmax.ts";

interface Parts {
  readonly scale: number;
  readonly causal: boolean;
  /** Broadcast to [B, heads, T, S]. */
  readonly bias: Tensor;
}

/** What hides a key, small enough that a score beside it is no number of the softmax. */
const hidden = -1e30;

/**
 * Attention by products and a softmax of all scores, for a bias that asks for a gradient. q: [B, T, heads, D], k: [B, S, key heads, D], v: [B, S, key heads, E] →
 * [B, T, heads, E].
 */
export function attentionByParts(q: Tensor, k: Tensor, v: Tensor, { scale, causal, bias }: Parts): Tensor {
  const [batch, queries, heads] = q.shape as [number, number, number, number];
  const [, keys, keyHeads] = k.shape as [number, number, number, number];
  const each = (x: Tensor, share: number) => {
    const all = permute(share > 1 ? repeat(x, share, 2) : x, [0, 2, 1, 3]);
    return reshape(all, [batch * heads, x.shape[1]!, x.shape[3]!]);
  };
  const share = heads / keyHeads;
  const products = multiply(batchedMatmul(each(q, 1), transpose(each(k, share))), scale);
  const scores = add(reshape(products, [batch, heads, queries, keys]), bias);
  const seen = causal ? add(scores, laterKeys(q, queries, keys)) : scores;
  const shares = reshape(softmax(seen), [batch * heads, queries, keys]);
  const rows = reshape(batchedMatmul(shares, each(v, share)), [batch, heads, queries, v.shape[3]!]);
  return permute(rows, [0, 2, 1, 3]);
}

/** [T, S], what hides the keys behind each query. */
function laterKeys({ device }: Tensor, queries: number, keys: number): Tensor {
  const numbers = Float32Array.from({ length: queries * keys }, (_, at) =>
    at % keys > Math.floor(at / keys) ? hidden : 0,
  );
  return Tensor.constant(device, numbers, [queries, keys]);
}

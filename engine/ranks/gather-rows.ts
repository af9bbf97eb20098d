import { record } from "../autograd.ts";
import { cast } from "../ops/cast.ts";
import { slice } from "../ops/join.ts";
import { scale } from "../ops/unary.ts";
import { Tensor } from "../tensor.ts";
import { begin } from "./exchange-tensors.ts";
import type { RankRows } from "./ranks.ts";

/**
 * The rows of all ranks, in their order. x: f32 or f16 [rows of this rank, …] → f32 [all rows, …].
 *
 * Every rank goes on with all rows to one loss, which each differentiates from 1 / ranks: parameters beyond this then get shares of their gradient
 * that add up to it over the ranks. What comes back to the rows of this rank is of one such loss: the gradient is multiplied by the ranks, so that
 * sums over ranks are right for parameters before this, too.
 */
export function gatherRows(x: Tensor, { ranks, counts }: RankRows): Tensor {
  const { device } = x;
  const own = x.dtype === "f32" ? x : cast(x, "f32");
  const rest = x.shape.slice(1);
  const columns = own.size / own.shape[0]!;
  const all = counts.reduce((sum, count) => sum + count, 0);
  const y = Tensor.empty(device, [all, ...rest]);
  const lengths = counts.map((count) => 4 * count * columns);
  begin(device, [own], [y], async (given) => {
    const parts = await ranks.gather(new Uint8Array(given), lengths);
    const joined = new Uint8Array(4 * all * columns);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined.buffer;
  }).end();
  const first = counts.slice(0, ranks.rank).reduce((sum, count) => sum + count, 0);
  const zeros = rest.map(() => 0);
  return record("gatherRows", [own], y, (dy) => [
    scale(slice(dy, [first, ...zeros], [first + counts[ranks.rank]!, ...rest]), ranks.size),
  ]);
}

import { withoutGradients } from "../../engine/autograd.ts";
import { scale } from "../../engine/ops/unary.ts";
import { gatherRows } from "../../engine/ranks/gather-rows.ts";
import type { RankRows, Ranks } from "../../engine/ranks/ranks.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";

/** What backward starts from where each rank has a share of the gradient; the sum over them is the whole one. */
export function sharedSeed(seed: number | Tensor, { size }: Ranks): number | Tensor {
  return typeof seed === "number" ? seed / size : withoutGradients(() => scale(seed, 1 / size));
}

/** Outputs of the rows of all ranks; each is exchanged when it is first asked for. */
export function gathered(own: Outputs, rows: RankRows): Outputs {
  const found = new Map<keyof Outputs, Tensor>();
  const output = (name: keyof Outputs) => {
    if (!found.has(name)) found.set(name, gatherRows(own[name], rows));
    return found.get(name)!;
  };
  return {
    get feature() {
      return output("feature");
    },
    get embedding() {
      return output("embedding");
    },
    get logits() {
      return output("logits");
    },
  };
}

/** Running means and variances of a model. */
export function runningStatistics(model: QualityNetwork): Tensor[] {
  return model.tensors().flatMap(({ name, tensor }) => (/\.running_(mean|var)$/.test(name) ? [tensor] : []));
}

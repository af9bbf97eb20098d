import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { Outputs, Pass } from "./body.ts";
import type { Trunk } from "./trunk.ts";

/** What bodies share that read the features of one {@link Trunk}. */
export abstract class TrunkBody {
  protected abstract readonly trunk: Trunk;

  /** What is made of the features, [N, L]. */
  protected abstract head(features: Tensor, training: boolean): Outputs;

  forward(x: Tensor, pass: Pass): Outputs {
    return this.head(this.trunk.forward(x, pass), pass.training);
  }

  prefix(x: Tensor): Tensor {
    return this.trunk.prefix(x);
  }

  prefixMap(x: Tensor): Shape | undefined {
    return this.trunk.mapShape(x);
  }

  forwardRows(rows: Tensor, mapShape: Shape | undefined, pass: Pass): Outputs {
    return this.head(this.trunk.fromRows(rows, mapShape, pass), pass.training);
  }
}

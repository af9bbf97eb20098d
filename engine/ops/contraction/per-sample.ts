import { ShapeError, type Tensor } from "../../tensor.ts";
import { add } from "../arithmetic.ts";
import { batchShape } from "../batch.ts";
import { expectOperands } from "../operands.ts";
import { reshape } from "../shape.ts";
import { batchedMatmul } from "./batched.ts";

/**
 * A linear layer whose weights are each sample's own, as a hyper network makes them (Su et al. 2020, HyperIQA):
 * y[n] = x[n] · weight[n] + bias[n]. x: [N, in], weight: [N, in, out], bias: [N, out] → [N, out].
 * @throws ShapeError when the extents do not fit
 */
export function linearPerSample(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  expectOperands("linearPerSample", bias ? { x, weight, bias } : { x, weight });
  if (x.rank !== 2) throw new ShapeError(`linearPerSample takes x [N, in], found [${x.shape}]`);
  const [samples, inputs] = x.shape as [number, number];
  const y = products("linearPerSample", reshape(x, [samples, 1, inputs]), weight, bias);
  return reshape(y, [samples, y.shape[2]!]);
}

/**
 * A 1x1 convolution whose weights are each sample's own: every position of map n through weight[n].
 * x: [N, H, W, in], weight: [N, in, out], bias: [N, out] → [N, H, W, out].
 * @throws ShapeError when the extents do not fit
 */
export function pointwisePerSample(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  expectOperands("pointwisePerSample", bias ? { x, weight, bias } : { x, weight });
  const [samples, height, width, inputs] = batchShape("pointwisePerSample", x);
  const y = products("pointwisePerSample", reshape(x, [samples, height * width, inputs]), weight, bias);
  return reshape(y, [samples, height, width, y.shape[2]!]);
}

/** x: [N, T, in] · weight: [N, in, out] + bias: [N, out] → [N, T, out]. */
function products(operation: string, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [samples, , inputs] = x.shape as [number, number, number];
  if (weight.rank !== 3 || weight.shape[0] !== samples || weight.shape[1] !== inputs) {
    throw new ShapeError(`${operation}: weight [${weight.shape}] for ${samples} sample(s) of ${inputs} inputs`);
  }
  const outputs = weight.shape[2]!;
  const y = batchedMatmul(x, weight);
  if (!bias) return y;
  if (bias.rank !== 2 || bias.shape[0] !== samples || bias.shape[1] !== outputs) {
    throw new ShapeError(`${operation}: bias [${bias.shape}] for ${samples} sample(s) of ${outputs} outputs`);
  }
  return add(y, reshape(bias, [samples, 1, outputs]));
}

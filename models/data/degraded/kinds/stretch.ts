import { flatWorkgroup } from "../../../../engine/kernel/grid.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { linear } from "./brightness.ts";
import { runKernel } from "./kernels.ts";

/** A picture with its least sample at 0 and its largest at 1, all channels alike; one of a single level stays as it is. */
export async function stretched(x: Tensor): Promise<Tensor> {
  const groups = Math.ceil(x.size / (64 * flatWorkgroup));
  using parts = Tensor.empty(x.device, [groups, 2]);
  runKernel("distort/extremes", {
    tensors: { x, y: parts },
    parameters: { count: x.size },
    invocations: groups * flatWorkgroup,
    flops: 2 * 64,
  });
  const found = await parts.read();
  const [low, high] = [Math.min(...found), Math.max(...found)];
  return high > low ? linear(x, 1 / (high - low), -low / (high - low)) : linear(x, 1, 0);
}

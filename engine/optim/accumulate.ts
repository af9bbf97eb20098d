import { any, callback, expectArgument, expectList, shown } from "../arguments.ts";
import { backward } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { addInto } from "../ops/add-into.ts";
import type { Tensor } from "../tensor.ts";

/** Rows `start … start + count` of a batch. */
export interface MicroBatch {
  readonly start: number;
  readonly count: number;
}

/**
 * Cuts a batch into the fewest runs of at most `size` rows, all equally long or one row shorter, in order.
 * @throws RangeError when `batch` or `size` is not a whole number of at least 1
 */
export function microBatches(batch: number, size: number): MicroBatch[] {
  for (const value of [batch, size]) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(
        `batches are cut in whole numbers of rows, at least 1; found ${shown(batch)} rows by ${shown(size)}`,
      );
  }
  const parts = Math.ceil(batch / size);
  const bound = (part: number) => Math.ceil((part * batch) / parts);
  return Array.from({ length: parts }, (_, part) => ({ start: bound(part), count: bound(part + 1) - bound(part) }));
}

/**
 * Forward and backward for each micro-batch in turn; gradients add up in the parameters, and what a micro-batch held is free
 * before the next. `loss` must divide by the size of the whole batch, not of the micro-batch: then the gradients are those
 * of the whole batch, up to the rounding of another order of sums; with a single micro-batch they have the same bits.
 *
 * This holds for networks in which rows do not depend on each other. Batch normalisation in training is not such: it takes
 * mean and variance from the micro-batch and moves its running statistics once for each, so that results differ from the
 * whole batch (as in every framework). Frozen, or in evaluation mode, it is exact, and so is layer normalisation.
 * @param loss forward pass of some rows → their share of the loss, [1]
 * @param seed see {@link backward}
 * @returns the loss of the whole batch, [1], in the scope at hand; not on the tape
 */
export function accumulateGradients(
  device: Device,
  parts: readonly MicroBatch[],
  loss: (part: MicroBatch) => Tensor,
  seed: number | Tensor = 1,
): Tensor {
  expectList("accumulateGradients", "the parts", parts, any);
  expectArgument("accumulateGradients", "the loss", loss, callback);
  if (parts.length === 0) throw new RangeError("accumulateGradients: there is no micro-batch");
  return device.scope(() => {
    const [first, ...rest] = parts.map((part) =>
      device.scope(() => {
        const share = loss(part);
        backward(share, seed);
        return share.alias();
      }),
    );
    return rest.reduce((total, share) => addInto(total, share), first!);
  });
}

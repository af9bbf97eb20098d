import { any, callback, expectArgument, expectList, shown } from "../arguments.ts";
import { backward, withoutGradients } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { addInto } from "../ops/add-into.ts";
import { add } from "../ops/arithmetic.ts";
import type { Tensor } from "../tensor.ts";

/** Rows `start … start + count` of a batch. */
export interface MicroBatch {
  readonly start: number;
  readonly count: number;
}

/**
 * Cuts a batch into the fewest runs of at most `size` rows, in order, all equally long or one row shorter. Where `whole` says which
 * rows belong together, runs are as equal as that allows.
 * @param whole lengths of the groups of rows that are not to be cut, in their order; their sum is the batch
 * @throws RangeError when `batch` or `size` is not a whole number of at least 1, or a group is longer than `size`
 */
export function microBatches(batch: number, size: number, whole?: readonly number[]): MicroBatch[] {
  for (const value of [batch, size]) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(
        `batches are cut in whole numbers of rows, at least 1; found ${shown(batch)} rows by ${shown(size)}`,
      );
  }
  const borders = whole && bordersOf(batch, size, whole);
  for (let count = Math.ceil(batch / size); ; count++) {
    const bounds = Array.from({ length: count + 1 }, (_, i) => {
      const bound = Math.ceil((i * batch) / count);
      return borders ? borders.findLast((border) => border <= bound)! : bound;
    });
    const runs = bounds.slice(1).map((end, i) => ({ start: bounds[i]!, count: end - bounds[i]! }));
    if (runs.every((run) => run.count <= size)) return runs.filter((run) => run.count > 0);
  }
}

/** Rows between which a batch may be cut, its start and end among them, ascending. */
function bordersOf(batch: number, size: number, whole: readonly number[]): number[] {
  const borders = [0];
  for (const length of whole) {
    if (!Number.isSafeInteger(length) || length < 1 || length > size)
      throw new RangeError(`rows that belong together must be 1 to ${size}, the size of a run; found ${shown(length)}`);
    borders.push(borders.at(-1)! + length);
  }
  if (borders.at(-1) !== batch)
    throw new RangeError(`the groups of rows add up to ${borders.at(-1)}, the batch has ${batch}`);
  return borders;
}

/**
 * Forward and backward for each micro-batch in turn; gradients add up in the parameters, and what a micro-batch held is free
 * before the next. `loss` must divide by the size of the whole batch, not of the micro-batch: then the gradients are those
 * of the whole batch, up to the rounding of another order of sums; with a single micro-batch they have the same bits.
 *
 * This holds for networks in which rows do not depend on each other. Batch normalisation in training is not such: it takes
 * mean and variance from the micro-batch and moves its running statistics once for each, so that results differ from the
 * whole batch (as in every framework). Frozen, or in evaluation mode, it is exact, and so is layer normalisation.
 * @param loss forward pass of some rows → their share of the loss, [1]; a list has further numbers behind it that add up over the
 * micro-batches like the loss and have no part in the gradients
 * @param seed see {@link backward}
 * @param collected told of tensors whose gradient is that of the whole batch, as soon as the last micro-batch has given it
 * @returns what `loss` gave, of the whole batch, in the scope at hand; not on the tape
 */
export function accumulateGradients<Share extends Tensor | readonly Tensor[], Part extends MicroBatch>(
  device: Device,
  parts: readonly Part[],
  loss: (part: Part) => Share,
  seed: number | Tensor = 1,
  collected?: (tensor: Tensor) => void,
): Share {
  expectList("accumulateGradients", "the parts", parts, any);
  expectArgument("accumulateGradients", "the loss", loss, callback);
  if (parts.length === 0) throw new RangeError("accumulateGradients: there is no micro-batch");
  return device.scope(() => {
    let isList = false;
    const shares = parts.map((part, i) =>
      device.scope(() => {
        const share = loss(part);
        isList = Array.isArray(share);
        const sums = [share].flat() as Tensor[];
        backward(sums[0]!, seed, i === parts.length - 1 ? collected : undefined);
        return sums.map((tensor) => tensor.alias());
      }),
    );
    // The loss was made by this work; the others may be constants, which a replay does not write anew.
    const join = (sum: Tensor, share: Tensor, i: number) => (i === 0 ? addInto(sum, share) : add(sum, share));
    const totals = withoutGradients(() =>
      shares.reduce((sums, share) => sums.map((sum, i) => join(sum, share[i]!, i))),
    );
    return (isList ? totals : totals[0]!) as Share;
  });
}

import { withoutGradients } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { GpuError } from "../device/errors.ts";
import type { Exchange, Span } from "../kernel/plan.ts";
import { Tensor } from "../tensor.ts";
import { addInOrder, type Ranks } from "./ranks.ts";

/** All elements of an f32 tensor. */
function span(tensor: Tensor): Span {
  return { buffer: tensor.allocation.buffer, fromByte: 0, bytes: tensor.sizeBytes };
}

/**
 * Records an exchange with other ranks in a trace that is done `later`: tensors go out here, and what comes back is in others once `end` was
 * called; what is recorded between does not wait.
 * @throws GpuError outside of such a trace
 */
export function begin(
  device: Device,
  from: readonly Tensor[],
  to: readonly Tensor[],
  work: Exchange["work"],
): { readonly end: () => void } {
  const { stream } = device;
  if (stream.silent) return { end: () => {} };
  const { recorder } = stream;
  if (!recorder || !stream.recordsOnly)
    throw new GpuError("ranks exchange within a trace that is done later; call device.trace(work, { later: true })");
  const exchange = { from: from.map(span), to: to.map(span), work };
  recorder.send(
    exchange,
    from.map(({ allocation }) => allocation),
  );
  return {
    end: () =>
      recorder.receive(
        exchange,
        to.map(({ allocation }) => allocation),
      ),
  };
}

/** Replaces tensors by their sums over all ranks, times a factor; see {@link Ranks.sum}. */
export function beginSum(
  device: Device,
  tensors: readonly Tensor[],
  ranks: Ranks,
  factor = 1,
): { readonly end: () => void } {
  return begin(device, tensors, tensors, async (given) => {
    const numbers = new Float32Array(given);
    await ranks.sum(numbers);
    if (factor !== 1) for (let i = 0; i < numbers.length; i++) numbers[i] = numbers[i]! * factor;
    return given;
  });
}

/** The same tensor of every rank, one after another: x: [n] → [ranks, n]. Without a gradient. */
export function gatherTensors(x: Tensor, ranks: Ranks): Tensor {
  const y = Tensor.empty(x.device, [ranks.size, x.size]);
  const lengths = Array.from({ length: ranks.size }, () => x.sizeBytes);
  withoutGradients(() =>
    begin(x.device, [x], [y], async (given) => {
      const joined = new Uint8Array(y.sizeBytes);
      (await ranks.gather(new Uint8Array(given), lengths)).forEach((part, r) => {
        joined.set(part, r * x.sizeBytes);
      });
      return joined.buffer;
    }).end(),
  );
  return y;
}

/** Its sum over all ranks in place of a small tensor, which is waited for. Without a gradient. */
export function sumTensor(x: Tensor, ranks: Ranks): void {
  begin(x.device, [x], [x], async (given) => {
    const lengths = Array.from({ length: ranks.size }, () => given.byteLength);
    const parts = await ranks.gather(new Uint8Array(given), lengths);
    const total = new Float32Array(given);
    addInOrder(
      parts.map((part) => new Float32Array(part.buffer)),
      total,
    );
    return given;
  }).end();
}

/**
 * Replaces tensors by their means over all ranks, x₀ + Σ (x_r − x₀) / ranks: of the same bits everywhere, and its own where all are alike. Waits.
 * Without a gradient.
 */
export function averageTensors(device: Device, tensors: readonly Tensor[], ranks: Ranks): void {
  if (tensors.length === 0) return;
  begin(device, tensors, tensors, async (given) => {
    const lengths = Array.from({ length: ranks.size }, () => given.byteLength);
    const parts = (await ranks.gather(new Uint8Array(given), lengths)).map((part) => new Float32Array(part.buffer));
    const [first] = parts;
    return first!.map((x, i) => x + parts.reduce((sum, part) => sum + (part[i]! - x), 0) / parts.length).buffer;
  }).end();
}

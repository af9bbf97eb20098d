import { expectArgument, finite } from "./arguments.ts";
import type { Device } from "./device/device.ts";
import type { CallDetails } from "./journal.ts";
import { pathOf } from "./layer-paths.ts";
import { addInto } from "./ops/add-into.ts";
import { expectOperands } from "./ops/operands.ts";
import { type GradientNode, ShapeError, Tensor } from "./tensor.ts";

let recording = true;

/** True while operations are put on the tape. */
export function isRecording(): boolean {
  return recording;
}

/** Runs `work` without a tape: for evaluation and for the arithmetic of optimisers. */
export function withoutGradients<T>(work: () => T): T {
  const before = recording;
  recording = false;
  try {
    return work();
  } finally {
    recording = before;
  }
}

/**
 * Puts an operation on the tape when a gradient can be asked of it; returns the output.
 * @param call its name, or with it what else it was called with, for who writes operations down
 */
export function record(
  call: string | readonly [operation: string, details: CallDetails],
  inputs: readonly Tensor[],
  output: Tensor,
  gradient: GradientNode["gradient"],
): Tensor {
  const { device } = output;
  const [operation, details] = typeof call === "string" ? [call, {}] : call;
  device.journal?.push({ operation, inputs, output, details });
  device.labels.record(operation, inputs, output);
  device.numbers?.examine(operation, "forward", inputs, output);
  if (recording && inputs.some((input) => input.tracked)) {
    output.node = { operation, inputs, gradient };
    const { allocation } = output;
    if (allocation.owner === "scratch" || allocation.owner === "other")
      device.memory.assign(allocation, `activations: ${operation}`);
  }
  return output;
}

/** Names the output of an operation without a gradient, for profiles and the number check; returns it. */
export function recordFlat(operation: Parameters<typeof record>[0], inputs: readonly Tensor[], output: Tensor): Tensor {
  return withoutGradients(() => record(operation, inputs, output, () => []));
}

/**
 * Reverse-mode differentiation of a scalar. Adds the gradient of `loss` to `.gradient` of every tensor that was marked
 * `requiresGradient` and took part in it. Those gradients belong to their tensors and outlive scopes.
 * @param seed gradient of the loss itself; 1 unless given (a loss scale, say). A tensor of one element stays the caller's
 * @param collected told of every tensor whose {@link Tensor.gradient} has all of this loss, as soon as it has
 * @throws ShapeError when `loss` or `seed` has more than one element, or the loss was not recorded
 */
export function backward(loss: Tensor, seed: number | Tensor = 1, collected?: (tensor: Tensor) => void): void {
  expectOperands("backward", seed instanceof Tensor ? { loss, seed } : { loss });
  if (!(seed instanceof Tensor)) expectArgument("backward", "the seed", seed, finite);
  if (loss.size !== 1) throw new ShapeError(`backward starts from one number, found a tensor [${loss.shape}]`);
  if (!loss.node) throw new ShapeError("backward: nothing that requires a gradient took part in this loss");
  // A loss scale may be too large; the optimiser then skips the step, and there is nothing to complain of.
  const examined = typeof seed === "number";
  inBackward(loss.device, () => {
    const start = typeof seed === "number" ? Tensor.constant(loss.device, [seed], loss.shape) : seed.alias(loss.shape);
    const pending = new Map<Tensor, Tensor>([[loss, start]]);
    for (const tensor of outputsFirst(loss)) {
      const outputGradient = pending.get(tensor);
      if (!outputGradient) continue;
      pending.delete(tensor);
      const { node } = tensor;
      if (node) loss.device.labels.gradient(node, tensor, () => spread(node, outputGradient, pending, examined));
      if (tensor.requiresGradient) {
        collect(tensor, outputGradient);
        collected?.(tensor);
      }
      outputGradient.dispose();
    }
  });
}

/** What `work` makes is counted for "backward" and, unless it is kept, gone at the end, should it throw too. */
function inBackward(device: Device, work: () => void): void {
  device.labels.within({ phase: "backward" }, () =>
    device.owned("backward", () => device.scope(() => withoutGradients(work))),
  );
}

function spread(node: GradientNode, outputGradient: Tensor, pending: Map<Tensor, Tensor>, examined: boolean): void {
  const gradients = outputGradient.device.scope(() => node.gradient(outputGradient));
  node.inputs.forEach((input, i) => {
    let gradient = gradients[i];
    if (!gradient) return;
    if (!input.tracked) {
      if (gradient !== outputGradient) gradient.dispose();
      return;
    }
    if (gradient.size !== input.size) {
      throw new ShapeError(`${node.operation}: gradient [${gradient.shape}] for an input [${input.shape}]`);
    }
    if (gradient === outputGradient || gradients.indexOf(gradient) < i) gradient = gradient.alias();
    const sum = pending.get(input);
    if (sum) {
      pending.set(input, addInto(sum, gradient));
      gradient.dispose();
    } else {
      pending.set(input, gradient);
    }
    const { numbers } = input.device;
    const total = pending.get(input)!;
    if (examined) numbers?.examine(node.operation, "backward", [...node.inputs, outputGradient], total, input.name);
  });
}

function collect(tensor: Tensor, gradient: Tensor): void {
  const sum = tensor.gradient;
  const context = { op: "accumulate", layer: pathOf(tensor.name) };
  tensor.gradient = sum
    ? tensor.device.labels.within(context, () => addInto(sum, gradient).keep())
    : gradient.alias(tensor.shape).keep();
  tensor.device.memory.assign(tensor.gradient.allocation, "gradients");
}

/** Every tensor that leads to `root`, each before the inputs it was computed from. */
function outputsFirst(root: Tensor): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack: { tensor: Tensor; next: number }[] = [{ tensor: root, next: 0 }];
  seen.add(root);
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const input = top.tensor.node?.inputs[top.next++];
    if (!input) {
      order.push(top.tensor);
      stack.pop();
    } else if (input.tracked && !seen.has(input)) {
      seen.add(input);
      stack.push({ tensor: input, next: 0 });
    }
  }
  return order.reverse();
}

import type { Call } from "../call.ts";

/** Windows along the axes of places of a map: convolutions and pools. */
export interface Windows {
  readonly inputs: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly outputs: readonly number[];
}

/** Places that a kernel spans. */
export function span(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/** The windows that the attributes of a node describe over axes of places `inputs`. */
export function windowsOf(call: Call, inputs: readonly number[], kernel: readonly number[]): Windows {
  const ones = inputs.map(() => 1);
  const strides = call.list("strides") ?? ones;
  const dilations = call.list("dilations") ?? ones;
  const given = call.list("pads") ?? inputs.flatMap(() => [0, 0]);
  const before = given.slice(0, inputs.length);
  const after = given.slice(inputs.length);
  const automatic = call.text("auto_pad", "NOTSET");
  const round = call.flag("ceil_mode") ? Math.ceil : Math.floor;
  const spans = kernel.map((extent, axis) => span(extent, dilations[axis]!));
  const outputs = inputs.map((extent, axis) => {
    const stride = strides[axis]!;
    if (automatic.startsWith("SAME")) {
      const count = Math.ceil(extent / stride);
      const total = Math.max(0, (count - 1) * stride + spans[axis]! - extent);
      before[axis] = automatic === "SAME_LOWER" ? Math.ceil(total / 2) : Math.floor(total / 2);
      after[axis] = total - before[axis]!;
      return count;
    }
    if (automatic === "VALID") before[axis] = after[axis] = 0;
    const count = round((extent + before[axis]! + after[axis]! - spans[axis]!) / stride) + 1;
    // A window that would start behind the map and its margin in front is none.
    return round === Math.ceil && (count - 1) * stride >= extent + before[axis]! ? count - 1 : count;
  });
  return { inputs, kernel, strides, dilations, before, after, outputs };
}

/** One axis of places as two, the first of extent 1: kernels know pictures alone. */
export function asPicture(windows: Windows): Windows {
  if (windows.inputs.length !== 1) return windows;
  const [one, none] = [1, 0];
  return {
    inputs: [one, ...windows.inputs],
    kernel: [one, ...windows.kernel],
    strides: [one, ...windows.strides],
    dilations: [one, ...windows.dilations],
    before: [none, ...windows.before],
    after: [none, ...windows.after],
    outputs: [one, ...windows.outputs],
  };
}

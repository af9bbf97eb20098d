import type { Device } from "../device/device.ts";
import type { KernelArgument, Parameter } from "../kernel/argument.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { parameterBytes } from "../kernel/stream.ts";
import type { Constants } from "../kernel/template.ts";
import type { Tensor } from "../tensor.ts";

/** What a kernel over several parameters does with one of them, by the names in the kernel without their numbers. */
export interface ParameterSpan {
  /** Equally long. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly parameters?: Readonly<Record<string, Parameter>>;
}

/** The most parts that the kernels are written for. */
const mostParts = 8;

/**
 * Runs a kernel over all elements of the tensors of each part, as many parts in a dispatch as the adapter has bindings
 * for. Most tensors of a network are so small that a dispatch costs more than its work. A tensor larger than one binding is
 * several parts.
 * @param shared parameters that all parts have in common
 * @param whole tensors that are bound as they are in every dispatch
 * @param flopsPerElement floating-point operations of one element
 */
export function overSpans(
  device: Device,
  kernel: string,
  constants: Constants,
  parts: readonly ParameterSpan[],
  shared: Readonly<Record<string, Parameter>> = {},
  whole: Readonly<Record<string, Tensor>> = {},
  flopsPerElement?: number,
): void {
  if (parts.length === 0) return;
  const windows = parts.flatMap((part) => windowsOf(device, part));
  const wholeWindows = Object.fromEntries(Object.entries(whole).map(([name, tensor]) => [name, tensor.window()]));
  const atOnce = capacity(device, windows[0]!, Object.keys(shared).length, Object.keys(whole).length);
  for (let i = 0; i < windows.length; i += atOnce) {
    const chunk = windows.slice(i, i + atOnce);
    const bindings: Record<string, KernelArgument> = { ...wholeWindows };
    const parameters: Record<string, Parameter> = { ...shared };
    let groups = 0;
    let elements = 0;
    chunk.forEach((window, t) => {
      for (const name in window.bindings) bindings[`${name}${t}`] = window.bindings[name]!;
      for (const name in window.parameters) parameters[`${name}${t}`] = window.parameters[name]!;
      groups += Math.ceil(window.count4 / flatWorkgroup);
      elements += window.elements;
      parameters[`count${t}`] = window.count4;
      parameters[`end${t}`] = groups;
    });
    device.kernels.run(
      kernel,
      { ...constants, PARTS: chunk.length, WORKGROUP: flatWorkgroup },
      bindings,
      parameters,
      flatGrid(device, groups * flatWorkgroup),
      flopsPerElement === undefined ? undefined : { flops: flopsPerElement * elements },
    );
  }
}

/** A part, or as much of it as fits one binding. */
interface PartWindow {
  readonly bindings: Readonly<Record<string, KernelArgument>>;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Elements in vec4s. */
  readonly count4: number;
  readonly elements: number;
}

function windowsOf(device: Device, { tensors, parameters = {} }: ParameterSpan): PartWindow[] {
  const { size } = Object.values(tensors)[0]!;
  const vectors = Math.ceil(size / 4);
  return rowRanges(device, vectors, [4]).map(({ start, count }) => {
    const windows = Object.entries(tensors).map(
      ([name, tensor]) => [name, tensor.window(start * 4, count * 4)] as const,
    );
    return {
      bindings: Object.fromEntries(windows),
      parameters,
      count4: count,
      elements: Math.min(4 * count, size - 4 * start),
    };
  });
}

/** Parts of one dispatch: what the bindings of the adapter and the parameters of a dispatch have room for. */
function capacity(device: Device, part: PartWindow, sharedFields: number, wholeBindings: number): number {
  const bindings = device.gpu.limits.maxStorageBuffersPerShaderStage - wholeBindings;
  const fields = parameterBytes / 4 - sharedFields;
  return Math.max(
    1,
    Math.min(
      mostParts,
      Math.floor(bindings / Object.keys(part.bindings).length),
      Math.floor(fields / (Object.keys(part.parameters).length + 2)),
    ),
  );
}

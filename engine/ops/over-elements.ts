import type { Parameter } from "../kernel/argument.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Runs a kernel over all elements of equally long tensors, in windows where one binding does not hold them; tensors in
 * `whole` are bound as they are in every window.
 * @param flopsPerElement floating-point operations of one element, where there are any
 */
export function overElements(
  kernel: string,
  constants: Readonly<Record<string, string | number | boolean>>,
  tensors: Readonly<Record<string, Tensor>>,
  parameters: Readonly<Record<string, Parameter>> = {},
  whole: Readonly<Record<string, Tensor>> = {},
  flopsPerElement?: number,
): void {
  const first = Object.values(tensors)[0]!;
  const { device } = first;
  // Rows of four: four words, or two of f16, or one of bytes.
  const words = Object.values(tensors).some(({ dtype }) => dtype === "u8") ? [4, 1] : [4];
  for (const { start, count } of rowRanges(device, Math.ceil(first.size / 4), words)) {
    const windows = [
      ...Object.entries(tensors).map(([name, tensor]) => [name, tensor.window(start * 4, count * 4)] as const),
      ...Object.entries(whole).map(([name, tensor]) => [name, tensor.window()] as const),
    ];
    device.kernels.run(
      kernel,
      { ...constants, WORKGROUP: flatWorkgroup },
      Object.fromEntries(windows),
      { ...parameters, count4: count },
      flatGrid(device, count),
      flopsPerElement === undefined
        ? undefined
        : { flops: flopsPerElement * Math.min(4 * count, first.size - 4 * start) },
    );
  }
}

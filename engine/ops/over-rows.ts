import type { Device } from "../device/device.ts";
import { isWide } from "../device/subgroups.ts";
import type { Parameter } from "../kernel/argument.ts";
import { canCut, flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import type { Constants } from "../kernel/template.ts";
import type { Tensor } from "../tensor.ts";
import { apart, putBack } from "./rows-apart.ts";

/** Longest row that an invocation makes alone. The order of sums depends on it, hence it is that of every adapter. */
const alone = 256;

/**
 * Invocations that make a row of so many elements. Where subgroups are narrow, barriers are taken to be dear and the fewest do
 * it. 8 and 64 give the same bits.
 */
function lanesOf(device: Device, columns: number): 1 | 8 | 64 {
  if (columns <= alone) return 1;
  return isWide(device) ? 64 : 8;
}

/** Tensors of a call by the names of the kernel's variables. */
export interface RowTensors {
  /** [rows, columns]: a window of each call's rows. */
  readonly rows: Readonly<Record<string, Tensor>>;
  /** As many numbers a row as stand beside the tensor: windows too. */
  readonly beside?: Readonly<Record<string, readonly [tensor: Tensor, perRow: number]>>;
  /** Bound whole in every call. */
  readonly whole?: Readonly<Record<string, Tensor>>;
  /** Rows that lie in each other, so that no window begins between them: 1 unless given. */
  readonly together?: number;
}

/**
 * Runs a kernel that makes rows as shaders/row/place.wgsl has it over all rows of `columns` elements, by vec4s where they are
 * whole ones and `constants` do not have VECTOR false.
 * @param parameters those beside rows and columns
 */
export function overRows(
  kernel: string,
  constants: Constants,
  columns: number,
  { rows: byRow, beside = {}, whole = {}, together = 1 }: RowTensors,
  parameters: (firstRow: number) => Readonly<Record<string, Parameter>>,
  flopsPerElement?: number,
): void {
  const first = Object.values(byRow)[0]!;
  const { device } = first;
  const vector = constants["VECTOR"] !== false && columns % 4 === 0;
  const elements = vector ? columns / 4 : columns;
  const lanes = lanesOf(device, columns);
  const workgroup = lanes === 1 ? flatWorkgroup : lanes;
  const tensors = [
    ...Object.entries(byRow).map(([name, tensor]) => [name, tensor, columns * together] as const),
    ...Object.entries(beside).map(([name, [tensor, perRow]]) => [name, tensor, perRow * together] as const),
  ];
  const perRow = [...new Set(tensors.map(([, , size]) => size))];
  // Rows without elements have nothing to be made of.
  const all = first.size === 0 ? 0 : first.size / columns / together;
  if (all > 1 && !canCut(device, all, perRow)) {
    for (let row = 0; row < all; row++) {
      const own = tensors.map(([name, tensor, size]) => [name, apart(tensor, row * size, [size]), size] as const);
      const [ofRow, besideRow] = [own.slice(0, Object.keys(byRow).length), own.slice(Object.keys(byRow).length)];
      overRows(
        kernel,
        constants,
        columns,
        {
          rows: Object.fromEntries(ofRow),
          beside: Object.fromEntries(besideRow.map(([name, tensor, size]) => [name, [tensor, size / together]])),
          whole,
          together,
        },
        () => parameters(row * together),
        flopsPerElement,
      );
      own.forEach(([, tensor, size], i) => {
        putBack(tensor, tensors[i]![1], row * size);
        tensor.dispose();
      });
    }
    return;
  }
  for (const { start, count } of rowRanges(device, all, perRow)) {
    device.kernels.run(
      kernel,
      { ...constants, VECTOR: vector, LANES: lanes, WORKGROUP: workgroup },
      Object.fromEntries([
        ...tensors.map(([name, tensor, size]) => [name, tensor.window(start * size, count * size)] as const),
        ...Object.entries(whole).map(([name, tensor]) => [name, tensor.window()] as const),
      ]),
      { ...parameters(start * together), rows: count * together, columns: elements },
      flatGrid(device, count * together * lanes, workgroup),
      flopsPerElement === undefined ? undefined : { flops: flopsPerElement * count * together * columns },
    );
  }
}

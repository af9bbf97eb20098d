import type { DataType } from "../elements.ts";
import type { Allocation } from "../memory/allocation.ts";

/** A tensor, or a window of one, as a kernel argument. */
export interface KernelArgument {
  /** The device on which the allocation lives. */
  readonly device: object;
  readonly allocation: Allocation;
  /** Type of the elements; a kernel written for f32 is specialised to read and write f16 where its arguments are. */
  readonly dtype: DataType;
  /** Start of the window in bytes; a multiple of the adapter's storage offset alignment. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** The kernel reads it from a texture that is filled before the call, as {@link withTextures} has it. */
  readonly texture?: boolean;
  /** As far as it is known, for profiles. */
  readonly shape?: readonly number[];
}

/** A number for a kernel; a function is asked again at every replay of a plan. */
export type Parameter = number | (() => number);

/** Workgroups in x, y and z. */
export type Grid = readonly [number, number, number];

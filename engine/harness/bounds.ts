import type { Device } from "../device/device.ts";
import { bufferUsage } from "../kernel/stream.ts";
import { expand } from "../kernel/template.ts";
import { kernelText } from "../kernel/text.ts";
import { allocationOf, type Slice } from "../tune/stopwatch.ts";
import type { Loaded } from "./buffers.ts";
import { type ExpandedKernel, placeInSource, type ReadKernel } from "./compile.ts";
import { KernelRunError } from "./errors.ts";
import { findSubscripts, type Subscript } from "./subscripts.ts";

/** Accesses out of bounds at one place of the source. */
export interface OutOfBounds {
  /** The file of a part that the place is in; none for the kernel's own. */
  readonly part?: string;
  /** In the file, from 1. */
  readonly line: number;
  readonly column: number;
  /** What is indexed, as written. */
  readonly of: string;
  readonly access: "read" | "written";
  /** Accesses of one dispatch. */
  readonly count: number;
  /** The least index of them; negative where it was computed below 0. */
  readonly index: number;
  /** How many elements there are. */
  readonly length: number;
}

/** What looking for accesses out of bounds gave. */
export interface Bounds {
  /** By their place in the file. */
  readonly outside: readonly OutOfBounds[];
  /** Why they could not be looked for; undefined when they were. */
  readonly unchecked?: string;
}

const wordsOfSite = 3;

/**
 * Runs a copy of a compiled kernel in which every subscript is counted when its index is out of bounds, and kept within
 * them. A driver's own checks clamp or drop such accesses without a word, each in its way; this finds them on all alike,
 * buffers, workgroup memory and variables, but not where the text does not tell the type of what is indexed (see
 * {@link findSubscripts}).
 * @param dispatch runs the copy once on the kernel's buffers and one more
 */
export async function findOutOfBounds(
  device: Device,
  kernel: ReadKernel,
  loaded: readonly Loaded[],
  dispatch: (copy: ExpandedKernel, hits: Slice) => Promise<void>,
): Promise<Bounds> {
  const counts = Object.fromEntries(
    loaded
      .filter(({ slot }) => slot.single)
      .map(({ slot, shape }) => [slot.name, shape.reduce((product, extent) => product * extent, 1)]),
  );
  const subscripts = findSubscripts(kernel.wgsl, counts);
  if (subscripts.length === 0) return { outside: [] };
  const { storage } = kernel.interface;
  const most = device.gpu.limits.maxStorageBuffersPerShaderStage;
  if (storage.length >= most) return { outside: [], unchecked: `the kernel uses all ${most} storage buffers` };
  const { uniform, fixed, handles } = kernel.interface;
  const taken = [...storage, ...(uniform ? [uniform] : []), ...fixed, ...handles].filter(({ group }) => group === 0);
  const binding = Math.max(-1, ...taken.map((slot) => slot.binding)) + 1;
  const hits = new Hits(device, subscripts.length);
  try {
    await dispatch(instrumented(kernel, subscripts, binding), hits);
    return { outside: await hits.read(kernel, subscripts) };
  } catch (error) {
    // The kernel itself compiles: what fails here is the copy.
    if (!(error instanceof KernelRunError)) throw error;
    return { outside: [], unchecked: error.message.split("\n")[0]! };
  } finally {
    hits.buffer.destroy();
  }
}

/** The counts of a run. */
class Hits implements Slice {
  readonly #device: Device;
  readonly buffer: GPUBuffer;
  readonly sizeBytes: number;

  constructor(device: Device, sites: number) {
    this.#device = device;
    this.sizeBytes = 4 * wordsOfSite * sites;
    const { storage, copySource, copyDestination } = bufferUsage;
    this.buffer = device.gpu.createBuffer({ size: this.sizeBytes, usage: storage | copySource | copyDestination });
    const start = new Uint32Array(wordsOfSite * sites);
    for (let site = 0; site < sites; site++) start[wordsOfSite * site + 1] = 0xffff_ffff;
    device.gpu.queue.writeBuffer(this.buffer, 0, start);
  }

  async read(kernel: ExpandedKernel, subscripts: readonly Subscript[]): Promise<OutOfBounds[]> {
    const bytes = await this.#device.stream.read(allocationOf(this), 0, this.sizeBytes);
    const words = new Uint32Array(bytes);
    return subscripts
      .map(({ of, access, at }, site): OutOfBounds => {
        const [count, index, length] = words.subarray(wordsOfSite * site, wordsOfSite * (site + 1));
        const before = kernel.wgsl.slice(0, at).split("\n");
        const { file, line, column } = placeInSource(kernel, before.length, before.at(-1)!.length + 1);
        return {
          ...(file !== kernel.file && { part: file }),
          line,
          column,
          of,
          access,
          count: count!,
          index: index! | 0,
          length: length!,
        };
      })
      .filter(({ count }) => count > 0);
  }
}

/** The kernel with every subscript `[i]` as `[acutance_at(u32(i), length, site)]`. */
function instrumented(kernel: ExpandedKernel, subscripts: readonly Subscript[], binding: number): ExpandedKernel {
  const edits = subscripts.flatMap(({ from, to, length }, site) => [
    { at: from, text: "acutance_at(u32(" },
    { at: to, text: `), ${length}, ${site}u)` },
  ]);
  let wgsl = "";
  let at = 0;
  for (const edit of edits.sort((a, b) => a.at - b.at)) {
    wgsl += kernel.wgsl.slice(at, edit.at) + edit.text;
    at = edit.at;
  }
  const counting = expand(kernelText("debug/bounds"), { GROUP: 0, BINDING: binding, SITES: subscripts.length });
  return { ...kernel, wgsl: `${wgsl}${kernel.wgsl.slice(at)}\n${counting}` };
}

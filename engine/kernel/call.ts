import { elementBytes } from "../elements.ts";
import type { Label } from "../profile/labels.ts";
import type { Grid, KernelArgument } from "./argument.ts";
import type { KernelSource } from "./source.ts";
import type { Constants } from "./template.ts";

/**
 * What one call of a kernel does at least, as its operation declares it.
 *
 * *FLOPs* are those of the formula, for every element: one for each addition, subtraction, multiplication and division, for
 * each max and min (a clamp is two), and for each elementary function (√, exp, ln, pow, sin, tanh, erf); a multiply-add is
 * two, σ(x) = 1/(1 + e^−x) three, and a sum of n terms has n additions. Nothing count: integers, signs and absolute values,
 * conversions, comparisons that only select, values that are computed again though they were known, channels that only fill
 * up a vec4, what is done once for a row, channel or call beside the work on its elements, and what a contraction does to
 * its results before it stores them (bias, norm, activation). Taps outside a picture count as those inside. What depends on the data
 * counts as in the usual case that its operation names. A kernel that only moves, selects, sorts, counts or draws declares no FLOPs.
 *
 * *Bytes* are those that must be moved however good the caches: what is read, once, and what is written, once. Gathered
 * rows count as often as they are asked for, but not more rows than there are.
 */
export interface CallCost {
  /** Floating-point operations, as above. */
  readonly flops?: number;
  /** Traffic, when it is not that of all arguments read or written once: a call that reads a part of an argument gives it. */
  readonly bytes?: number;
  /** Name of the form of the kernel among its fellows. */
  readonly variant?: string;
}

/** One call of a kernel, or a transfer between buffers, for those who observe the stream. */
export interface Call {
  /** Path below `shaders/` without `.wgsl`; "copy", "clear" or "read-back" for a transfer. */
  readonly kernel: string;
  /** Specialised source; absent for a transfer. */
  readonly source?: KernelSource;
  readonly constants: Constants;
  readonly halves: readonly string[];
  readonly shapes: Readonly<Record<string, string>>;
  readonly grid: Grid;
  readonly variant: string;
  readonly flops: number | undefined;
  readonly bytes: number;
  readonly label: Label;
}

/** A call as the dispatcher sees it. */
export function describeCall(
  kernel: string,
  source: KernelSource,
  constants: Constants,
  args: readonly KernelArgument[],
  grid: Grid,
  cost: CallCost | undefined,
  label: Label,
): Call {
  const names = source.bindings.map(({ name }) => name);
  const shapes = Object.fromEntries(names.map((name, i) => [name, shapeText(args[i]!)]));
  const halves = names.filter((_, i) => args[i]!.dtype === "f16");
  const bytes = cost?.bytes ?? trafficOf(source, args);
  const variant = cost?.variant ?? variantOf(constants);
  return { kernel, source, constants, halves, shapes, grid, variant, flops: cost?.flops, bytes, label };
}

/** A transfer of so many bytes, read and written, or only written. */
export function describeTransfer(kernel: "copy" | "clear" | "read-back", bytes: number, label: Label): Call {
  const traffic = kernel === "clear" ? bytes : 2 * bytes;
  const shapes = { bytes: `[${bytes}]` };
  return {
    kernel,
    constants: {},
    halves: [],
    shapes,
    grid: [0, 0, 0],
    variant: "",
    flops: undefined,
    bytes: traffic,
    label,
  };
}

function shapeText({ shape, sizeBytes, dtype }: KernelArgument): string {
  return `[${(shape ?? [sizeBytes / elementBytes[dtype]]).join(", ")}] ${dtype}`;
}

/** Every argument once; what a kernel both reads and writes twice. */
function trafficOf(source: KernelSource, args: readonly KernelArgument[]): number {
  return source.bindings.reduce((sum, { name, writable }, i) => {
    const times = writable && readsOf(source).has(name) ? 2 : 1;
    return sum + times * args[i]!.sizeBytes;
  }, 0);
}

const reads = new WeakMap<KernelSource, ReadonlySet<string>>();

/** Writable storage variables of a kernel whose elements it also reads: `y[i] = …` alone does not, `y[i] += …` does. */
function readsOf(source: KernelSource): ReadonlySet<string> {
  let found = reads.get(source);
  if (!found) {
    const text = source.wgsl.replace(/\/\/.*$/gm, "");
    const read = ({ name }: { name: string }) => {
      for (const { index } of text.matchAll(new RegExp(`\\b${name}\\s*\\[`, "g"))) {
        if (!/^\s*=(?!=)/.test(text.slice(endOfIndex(text, index)))) return true;
      }
      return false;
    };
    found = new Set(source.bindings.filter((slot) => slot.writable && read(slot)).map(({ name }) => name));
    reads.set(source, found);
  }
  return found;
}

/** Behind the bracket that closes the first one opened from `start` on. */
function endOfIndex(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "[") depth++;
    else if (text[at] === "]" && --depth === 0) return at + 1;
  }
  return text.length;
}

/** What constants say of a variant whose operation gave it no name. */
function variantOf({ BROADCAST, LANES, VECTOR }: Constants): string {
  if (BROADCAST !== undefined) return BROADCAST ? `subgroups of ${LANES}` : "plain";
  if (VECTOR !== undefined) return VECTOR ? "vec4" : "scalar";
  return "";
}

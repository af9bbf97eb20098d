import type { Measured } from "./measured.ts";
import type { Roofs } from "./roofs.ts";

/** What a piece of work must do at least. */
export interface Cost {
  /** Floating-point operations in f32, a multiply-add counted as two. */
  readonly flops: number;
  /** Every input read once and every output written once. */
  readonly bytes: number;
  /** Dispatches one after the other; 1 by default. */
  readonly dispatches?: number;
}

/** The roof that work cannot get under. */
export interface BindingRoof {
  readonly roof: "arithmetic" | "memory" | "dispatch";
  /** The least possible time by that roof, ms. */
  readonly leastMs: number;
}

/**
 * The roof that binds a piece of work: of the times that its arithmetic, its traffic and its dispatches take at least, the
 * longest (Williams, Waterman and Patterson, "Roofline", 2009). What counts is the best run of a roof: a slower one was
 * disturbed.
 * @throws RangeError when a cost is negative, or all are zero
 */
export function bindingRoof({ flops, bytes, dispatches = 1 }: Cost, roofs: Roofs): BindingRoof {
  for (const [name, value] of Object.entries({ flops, bytes, dispatches })) {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`a cost is a finite number of at least 0, got ${value} ${name}`);
    }
  }
  const candidates: BindingRoof[] = [
    { roof: "arithmetic", leastMs: flops / roofs.fmaGflops.most / 1e6 },
    { roof: "memory", leastMs: bytes / memoryGBps(bytes, roofs) / 1e6 },
    { roof: "dispatch", leastMs: (dispatches * roofs.dispatchMicroseconds.least) / 1e3 },
  ];
  const binding = candidates.reduce((a, b) => (b.leastMs > a.leastMs ? b : a));
  if (binding.leastMs === 0) throw new RangeError("work without arithmetic, traffic or dispatches has no roof");
  return binding;
}

/**
 * The most that memory gives to work on so many bytes, 10⁹ bytes a second: the best copy or read in as many bytes, rounded
 * down to a measured size, or in more. Fewer bytes fit into a faster cache, never into a slower one.
 */
export function memoryGBps(bytes: number, { copyGBps, readGBps }: Pick<Roofs, "copyGBps" | "readGBps">): number {
  const rates: readonly { readonly bytes: number; readonly rate: Measured }[] = [...copyGBps, ...readGBps];
  const sizes = rates.map((entry) => entry.bytes);
  const from = Math.max(Math.min(...sizes), ...sizes.filter((size) => size <= bytes));
  return Math.max(...rates.filter((entry) => entry.bytes >= from).map((entry) => entry.rate.most));
}

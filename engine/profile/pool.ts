import { bindingRoof } from "../tune/binding-roof.ts";
import { deviations } from "../tune/noise.ts";
import { medianError, warmCalls } from "./compare.ts";
import { callFigures, rates, type TimedEvent } from "./figures.ts";
import type { KernelProfile, Profile } from "./profile.ts";

/** Kernels of at least so much of the time must be known well. */
const worthShare = 0.01;

/** The calls of each kernel, as far as the profile lists them. */
function callsOf({ kernels, events }: Profile): ReadonlyMap<string, TimedEvent[]> {
  const calls = new Map<string, TimedEvent[]>(kernels.map(({ id }) => [id, []]));
  for (const { kernel, startMs, durationMs, recordedMs, submit, cold, taint } of events) {
    const event = { submit, recordedMs, cold, beginMs: startMs, endMs: startMs + durationMs, usedBytes: 0, taint };
    calls.get(kernels[kernel]!.id)?.push(event);
  }
  return calls;
}

/**
 * One profile of several runs of the same work: figures of kernels are those of all their calls, times over the whole those of the
 * first run.
 * @param profiles with all their events
 */
export function pooled(profiles: readonly [Profile, ...Profile[]]): Profile {
  const [first] = profiles;
  if (profiles.length === 1) return first;
  const all = profiles.map(callsOf);
  const kernels = new Map(profiles.flatMap((profile) => profile.kernels.map((kernel) => [kernel.id, kernel] as const)));
  // The first run's come first, in their order: its events name them by place.
  const ordered = [...new Set([...first.kernels.map(({ id }) => id), ...kernels.keys()])];
  const calls = new Map(ordered.map((id) => [id, all.flatMap((run) => run.get(id) ?? [])]));
  const busyMs = [...calls.values()].flat().reduce((sum, { beginMs, endMs }) => sum + endMs - beginMs, 0);
  return {
    ...first,
    marks: [...new Set([...profiles.flatMap(({ marks }) => marks), "several-runs" as const])],
    conditions: {
      ...(first.conditions ?? { othersCores: { median: 0, most: 0 }, taintedShare: 0, slowdown: 1 }),
      runs: profiles.length,
    },
    kernels: ordered.map((id) => repeated(kernels.get(id)!, calls.get(id)!, busyMs, first.roofs)),
    sources: Object.assign({}, ...profiles.map(({ sources }) => sources)),
  };
}

function repeated(
  kernel: KernelProfile,
  calls: readonly TimedEvent[],
  busyMs: number,
  roofs: Profile["roofs"],
): KernelProfile {
  if (calls.length === 0) return kernel;
  const { taintedCalls: _, ...rest } = kernel;
  const figures = callFigures(calls);
  const { median, total } = figures.milliseconds;
  const { flops, bytes, roof } = kernel;
  const bound = roofs && roof && median > 0 ? bindingRoof({ flops: flops ?? 0, bytes }, roofs) : undefined;
  return {
    ...rest,
    ...figures,
    share: busyMs > 0 ? total / busyMs : 0,
    ...rates(flops, bytes, median),
    roof: bound ? { binds: bound.roof, share: bound.leastMs / median } : null,
  };
}

/** How far a kernel's median may be off by chance: two standard errors, as a share of it. */
export function noiseOfKernel(kernel: KernelProfile): number {
  const { median } = kernel.milliseconds;
  return median > 0 ? (deviations * medianError(kernel)) / median : 0;
}

/** The kernel that matters and is known worst, with its noise; undefined without kernels. */
export function noisiest({ kernels }: Profile): { readonly kernel: KernelProfile; readonly noise: number } | undefined {
  return kernels
    .filter((kernel) => kernel.share >= worthShare && warmCalls(kernel) > 0)
    .map((kernel) => ({ kernel, noise: noiseOfKernel(kernel) }))
    .reduce<{ kernel: KernelProfile; noise: number } | undefined>(
      (a, b) => (a && a.noise >= b.noise ? a : b),
      undefined,
    );
}

import { pairedRatio, type Ratio } from "../tune/noise.ts";
import type { KernelProfile, Profile } from "./profile.ts";

/** A run is left out when more of its work than this ran while the machine did something else. */
const taintedShare = 0.5;
/** So many clean pairs are needed before others are left out. */
const leastClean = 3;

export interface PairedKernel extends Ratio {
  /** Kernel, operation, layer, scope and variant in words. */
  readonly name: string;
  /** Medians over the rounds of the medians of one call, ms. */
  readonly aMs: number;
  readonly bMs: number;
  /** Of the time of A. */
  readonly share: number;
}

export interface PairedComparison {
  /** b / a of the sums over kernels of median · calls, and of the wall times. */
  readonly busy: Ratio;
  readonly wall: Ratio;
  /** The longest first. */
  readonly kernels: readonly PairedKernel[];
  /** Kernels of one side only. */
  readonly onlyA: readonly string[];
  readonly onlyB: readonly string[];
  readonly rounds: number;
  /** Rounds that were left out because the machine did something else. */
  readonly leftOut: number;
  /** Whether rounds that should be left out are in, since there are too few others. */
  readonly isTainted: boolean;
}

export type Pair = readonly [a: Profile, b: Profile];

/** Compares two pieces of work that were run in turns, by the ratios of each pair. */
export function comparePairs(all: readonly Pair[]): PairedComparison {
  const clean = all.filter((pair) => pair.every(({ conditions }) => (conditions?.taintedShare ?? 0) <= taintedShare));
  const enough = clean.length >= Math.min(leastClean, all.length);
  const pairs = enough ? clean : all;
  const sides = ([0, 1] as const).map((side) => pairs.map((pair) => byName(pair[side])));
  const names = ([0, 1] as const).map((side) => new Set(sides[side]!.flatMap((run) => [...run.keys()])));
  const [ofA, ofB] = names as [Set<string>, Set<string>];
  const both = [...ofA].filter((name) => ofB.has(name));
  const total = (run: ReadonlyMap<string, Timed>) =>
    [...run.values()].reduce((sum, { ms, calls }) => sum + ms * calls, 0);
  const allOfA = sides[0]!.reduce((sum, run) => sum + total(run), 0);
  const kernels = both.flatMap((name): PairedKernel[] => {
    const times = pairs.flatMap((_, i): [number, number][] => {
      const [a, b] = [sides[0]![i]!.get(name), sides[1]![i]!.get(name)];
      return a && b && a.ms > 0 && b.ms > 0 ? [[a.ms, b.ms]] : [];
    });
    if (times.length === 0) return [];
    const ofKernel = sides[0]!.reduce((sum, run) => sum + (run.get(name)?.ms ?? 0) * (run.get(name)?.calls ?? 0), 0);
    const [aMs, bMs] = ([0, 1] as const).map((side) => middle(times.map((pair) => pair[side])));
    return [{ name, aMs: aMs!, bMs: bMs!, share: allOfA > 0 ? ofKernel / allOfA : 0, ...pairedRatio(times) }];
  });
  return {
    busy: pairedRatio(pairs.map((_, i) => [total(sides[0]![i]!), total(sides[1]![i]!)])),
    wall: pairedRatio(pairs.map(([a, b]) => [a.span.wallMs, b.span.wallMs])),
    kernels: kernels.sort((a, b) => b.share - a.share),
    onlyA: [...ofA].filter((name) => !ofB.has(name)),
    onlyB: [...ofB].filter((name) => !ofA.has(name)),
    rounds: all.length,
    leftOut: all.length - pairs.length,
    isTainted: !enough,
  };
}

interface Timed {
  readonly ms: number;
  readonly calls: number;
}

/** Medians and calls by what a kernel is for: its source may be another on the other side. */
function byName({ kernels }: Profile): Map<string, Timed> {
  const found = new Map<string, Timed>();
  for (const kernel of kernels) {
    const name = nameOf(kernel);
    const before = found.get(name);
    const { calls } = kernel;
    const { median } = kernel.milliseconds;
    // Several of one name, of other sizes say, count as their mean.
    const ms = before ? (before.ms * before.calls + median * calls) / (before.calls + calls) : median;
    found.set(name, { ms, calls: (before?.calls ?? 0) + calls });
  }
  return found;
}

function nameOf({ kernel, op, layer, phase, scope = "" }: KernelProfile): string {
  const where = [layer, phase === "other" ? "" : phase, scope];
  return [kernel, op === kernel ? "" : op, ...where].filter(Boolean).join(" · ");
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

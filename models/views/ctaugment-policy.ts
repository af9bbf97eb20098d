import type { LevelOperation } from "../../engine/ops/pictures/levels.ts";
import type { RescaleFilter } from "../../engine/ops/pictures/rescale.ts";
import type { Random } from "../../engine/random.ts";

/** Side of a square view, and draws for what a level does not say. */
interface Place {
  readonly side: number;
  readonly random: Random;
}

interface Rule {
  /** Bins of each parameter. */
  readonly bins: readonly number[];
  /** The operation that levels in [0, 1) stand for, one for each parameter. */
  readonly make: (levels: readonly number[], place: Place) => LevelOperation;
}

type Amount = (level: number) => number;

const levelBins = 17;
const itself: Amount = (level) => level;
const factor: Amount = (level) => 0.1 + 1.9 * level;
const around =
  (most: number): Amount =>
  (level) =>
    (2 * level - 1) * most;

type Simple = Exclude<LevelOperation["name"], "fill" | "rescale">;

const simple = (name: Simple, amount: Amount, bins = levelBins): Rule => ({
  bins: [bins],
  make: ([level]) => ({ name, amount: amount(level!) }),
});

const filters: readonly RescaleFilter[] = ["lanczos", "bicubic", "bilinear", "box", "hamming", "nearest"];

/** A part with up to a quarter of the side left out at each border. */
function rescaled([level, filter]: readonly number[], { side }: Place): LevelOperation {
  const margin = Math.round(0.25 * level! * side);
  const extent = Math.max(1, Math.round(side * (1 - 0.25 * level!)) - margin);
  const part = { top: margin, left: margin, height: extent, width: extent };
  return { name: "rescale", part, filter: filters[Math.floor(filter! * 5.99)]! };
}

/** A grey square up to half the view's side, its centre uniform over the view. */
export function grey([level]: readonly number[], { side, random }: Place): LevelOperation {
  const half = Math.floor((1 + Math.floor(level! * side * 0.499)) / 2);
  const [top, left] = [random.integer(side) - half, random.integer(side) - half];
  return { name: "fill", hole: { top, left, height: 2 * half, width: 2 * half }, colour: [127, 127, 127] };
}

const rules = {
  autoContrast: simple("autoContrast", itself),
  blur: simple("blur", itself),
  brightness: simple("brightness", factor),
  color: simple("color", factor),
  contrast: simple("contrast", factor),
  cutout: { bins: [levelBins], make: grey },
  equalize: simple("equalize", itself),
  invert: simple("invert", itself),
  identity: { bins: [], make: () => ({ name: "identity" }) },
  posterize: simple("posterize", (level) => 1 + Math.floor(7.999 * level), 8),
  rescale: { bins: [levelBins, filters.length], make: rescaled },
  rotate: simple("rotate", (level) => Math.round(around(45)(level))),
  sharpness: simple("sharpness", factor),
  shearX: simple("shearX", around(0.3)),
  shearY: simple("shearY", around(0.3)),
  smooth: simple("smooth", itself),
  solarize: simple("solarize", (level) => Math.floor(255.999 * level)),
  translateX: simple("translateX", around(0.3)),
  translateY: simple("translateY", around(0.3)),
} as const satisfies Record<string, Rule>;

export type CtOperation = keyof typeof rules;

export const ctOperations = Object.keys(rules) as CtOperation[];

/** How well the network still knows pictures, 0 to 1, for each bin of each parameter of each operation. */
export type CtRates = Readonly<Record<CtOperation, readonly (readonly number[])[]>>;

/** Operations with a level in [0, 1) for each of their parameters. */
export type CtPolicy = readonly { readonly name: CtOperation; readonly levels: readonly number[] }[];

/** Before anything is learnt, every bin is as good as the others. */
export function startRates(): CtRates {
  const own = (name: CtOperation) => rules[name].bins.map((bins) => Array<number>(bins).fill(1));
  return Object.fromEntries(ctOperations.map((name) => [name, own(name)])) as unknown as CtRates;
}

/** All rates in a row, as f32 has them. */
export function packedRates(rates: CtRates): Float32Array<ArrayBuffer> {
  return Float32Array.from(ctOperations.flatMap((name) => rates[name].flat()));
}

/** Rates of {@link packedRates}. @throws RangeError when they are not as many */
export function unpackedRates(packed: Float32Array): CtRates {
  const count = packedRates(startRates()).length;
  if (packed.length !== count) throw new RangeError(`CTAugment has ${count} rates, found ${packed.length}`);
  const values = [...packed];
  const own = (name: CtOperation) => rules[name].bins.map((bins) => values.splice(0, bins));
  return Object.fromEntries(ctOperations.map((name) => [name, own(name)])) as unknown as CtRates;
}

/** How fast rates move, and the share of the best rate that a bin must have to be drawn. */
export interface CtSettings {
  readonly decay: number;
  readonly threshold: number;
  /** Operations in a policy. */
  readonly depth: number;
}

/**
 * A policy whose operations are uniform, and whose bins are as likely as their rates p = rate + 1 − decay, over their largest, where that
 * is at least the threshold.
 */
export function drawnPolicy(rates: CtRates, random: Random, { depth, ...settings }: CtSettings): CtPolicy {
  return Array.from({ length: depth }, () => {
    const name = ctOperations[random.integer(ctOperations.length)]!;
    const levels = rates[name].map((own) => {
      const bin = drawnBin(binShares(own, settings), random.uniform());
      return (bin + random.uniform()) / own.length;
    });
    return { name, levels };
  });
}

/** How likely each bin is, up to a factor. */
export function binShares(rates: readonly number[], { decay, threshold }: Omit<CtSettings, "depth">): number[] {
  const raised = rates.map((rate) => rate + 1 - decay);
  const best = Math.max(...raised);
  return raised.map((rate) => (rate / best < threshold ? 0 : rate / best));
}

function drawnBin(shares: readonly number[], uniform: number): number {
  let left = uniform * shares.reduce((sum, share) => sum + share, 0);
  let last = 0;
  for (const [bin, share] of shares.entries()) {
    if (share === 0) continue;
    last = bin;
    left -= share;
    if (left < 0) break;
  }
  return last;
}

/** A policy whose operations and levels are uniform. */
export function probePolicy(random: Random, { depth }: CtSettings): CtPolicy {
  return Array.from({ length: depth }, () => {
    const name = ctOperations[random.integer(ctOperations.length)]!;
    return { name, levels: rules[name].bins.map(() => random.uniform()) };
  });
}

/** What a policy does to views of a side. */
export function policyOperations(policy: CtPolicy, place: Place): LevelOperation[] {
  return policy.map(({ name, levels }) => rules[name].make(levels, place));
}

/** How near probabilities are to a label, 0 to 1: 1 − ½ Σ_c |p_c − y_c|, y a distribution. */
export function proximity(probabilities: ArrayLike<number>, label: ArrayLike<number>): number {
  let distance = 0;
  for (let c = 0; c < label.length; c++) distance += Math.abs(probabilities[c]! - label[c]!);
  return 1 - distance / 2;
}

/** Rates after a probe: those of the bins that the policy hit move to the proximity by the share 1 − decay. */
export function learntRates(rates: CtRates, policy: CtPolicy, near: number, { decay }: CtSettings): CtRates {
  const next = { ...rates };
  for (const { name, levels } of policy) {
    next[name] = next[name].map((own, parameter) => {
      const hit = Math.floor(levels[parameter]! * own.length);
      return own.map((rate, bin) => (bin === hit ? decay * rate + (1 - decay) * near : rate));
    });
  }
  return next;
}

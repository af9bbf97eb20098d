import { any, type Checks, callback, expectArgument, expectList, expectOptions, finite, shown } from "../arguments.ts";

/**
 * What learning rates are multiplied with, as a function of the number of updates done before: 0, 1, 2, … Pure, so that
 * a training continues from its step count alone.
 */
export type Schedule = (step: number) => number;

function expectSteps(name: string, steps: number, least = 1): void {
  if (!Number.isSafeInteger(steps) || steps < least)
    throw new RangeError(`${name}: steps are counted in whole numbers of at least ${least}, found ${shown(steps)}`);
}

function expectShare(name: string, what: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name}: ${what} is between 0 and 1, found ${shown(value)}`);
}

function expectPositive(name: string, what: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new RangeError(`${name}: ${what} is above 0, found ${shown(value)}`);
}

/** The same factor at every step. */
export function constant(factor = 1): Schedule {
  expectArgument("constant", "the factor", factor, finite);
  return () => factor;
}

/**
 * Rises in equal increments from `start` to 1 at `steps`: start + (1 − start) · t / steps, then 1. As PyTorch's LinearLR.
 * @param start 1 / (steps + 1) unless given: the first step then counts as much as the increments that follow
 * @throws RangeError when `steps` is not a whole number of at least 1 or `start` is not within 0 … 1
 */
export function linearWarmup(options: { steps: number; start?: number }): Schedule {
  expectOptions("linearWarmup", options, { steps: any, start: any });
  const { steps, start = 1 / (steps + 1) } = options;
  expectSteps("linearWarmup", steps);
  expectShare("linearWarmup", "start", start);
  return (step) => start + (1 - start) * Math.min(1, step / steps);
}

/**
 * Half a cosine from 1 to `floor` at `steps`: floor + (1 − floor) · ½ (1 + cos(π t / steps)), then `floor`
 * (Loshchilov & Hutter 2017, Eq. 5). Up to `steps` as PyTorch's CosineAnnealingLR with eta_min = floor · rate.
 * @throws RangeError when `steps` is not a whole number of at least 1 or `floor` is not within 0 … 1
 */
export function cosine(options: { steps: number; floor?: number }): Schedule {
  expectOptions("cosine", options, { steps: any, floor: any });
  const { steps, floor = 0 } = options;
  expectSteps("cosine", steps);
  expectShare("cosine", "floor", floor);
  return (step) => (step >= steps ? floor : floor + (1 - floor) * 0.5 * (1 + Math.cos((Math.PI * step) / steps)));
}

/**
 * The part of a quarter cosine from 1 to `end` at `steps`: cos(arccos(end) · t / steps), then `end`. With cos(7π/16) = 0.195 that of
 * FixMatch (Sohn et al. 2020), with 0.25 that of AdaMatch (Berthelot et al. 2022).
 * @throws RangeError when `steps` is not a whole number of at least 1 or `end` is not within 0 … 1
 */
export function quarterCosine(options: { steps: number; end?: number }): Schedule {
  expectOptions("quarterCosine", options, { steps: any, end: any });
  const { steps, end = 0 } = options;
  expectSteps("quarterCosine", steps);
  expectShare("quarterCosine", "end", end);
  const angle = Math.acos(end);
  return (step) => (step >= steps ? end : Math.cos((angle * step) / steps));
}

/**
 * Cosines one after the other, each starting at 1 again (SGDR, Loshchilov & Hutter 2017): the first takes `steps`, every
 * further one `lengthen` times as many as the one before. As PyTorch's CosineAnnealingWarmRestarts.
 * @throws RangeError when `steps` or `lengthen` is not a whole number of at least 1 or `floor` is not within 0 … 1
 */
export function cosineRestarts(options: { steps: number; lengthen?: number; floor?: number }): Schedule {
  expectOptions("cosineRestarts", options, { steps: any, lengthen: any, floor: any });
  const { steps, lengthen = 1, floor = 0 } = options;
  expectSteps("cosineRestarts", lengthen);
  const first = cosine({ steps, floor });
  if (lengthen === 1) return (step) => first(step % steps);
  return (step) => {
    let length = steps;
    let start = 0;
    while (step >= start + length) {
      start += length;
      length *= lengthen;
    }
    return cosine({ steps: length, floor })(step - start);
  };
}

/**
 * gamma^n, where n counts the steps at which the factor falls: every `every` steps, or the given `milestones` reached.
 * As PyTorch's StepLR and MultiStepLR.
 * @throws RangeError when a step is not a whole number of at least 1 or `gamma` is not above 0
 */
export function stepDecay(
  options: { gamma?: number } & ({ every: number } | { milestones: readonly number[] }),
): Schedule {
  expectOptions("stepDecay", options, { gamma: any, every: any, milestones: any } as Checks<typeof options>);
  const { gamma = 0.1, ...at } = options;
  expectPositive("stepDecay", "gamma", gamma);
  if ("every" in at) {
    expectSteps("stepDecay", at.every);
    return (step) => gamma ** Math.floor(step / at.every);
  }
  expectList("stepDecay", "the milestones", at.milestones, any);
  for (const milestone of at.milestones) expectSteps("stepDecay", milestone);
  return (step) => gamma ** at.milestones.filter((milestone) => step >= milestone).length;
}

/**
 * (1 − t / steps)^power, then 0. As PyTorch's PolynomialLR.
 * @throws RangeError when `steps` is not a whole number of at least 1 or `power` is not above 0
 */
export function polynomial(options: { steps: number; power?: number }): Schedule {
  expectOptions("polynomial", options, { steps: any, power: any });
  const { steps, power = 1 } = options;
  expectSteps("polynomial", steps);
  expectPositive("polynomial", "power", power);
  return (step) => (1 - Math.min(1, step / steps)) ** power;
}

/**
 * gamma^t. As PyTorch's ExponentialLR.
 * @throws RangeError when `gamma` is not above 0
 */
export function exponential(options: { gamma: number }): Schedule {
  expectOptions("exponential", options, { gamma: any });
  const { gamma } = options;
  expectPositive("exponential", "gamma", gamma);
  return (step) => gamma ** step;
}

/**
 * 1 / (1 + decay · t), Keras' time decay of the rate at update t.
 * @throws RangeError when `decay` is not above 0
 */
export function timeDecay(options: { decay: number }): Schedule {
  expectOptions("timeDecay", options, { decay: any });
  const { decay } = options;
  expectPositive("timeDecay", "decay", decay);
  return (step) => 1 / (1 + decay * step);
}

/**
 * Schedules one after the other, each counting from its own start: `first` for so many steps, then `next`. As PyTorch's
 * SequentialLR; nest calls for more than two.
 * @throws RangeError when `steps` is not a whole number of at least 0
 */
export function sequential(first: Schedule, steps: number, next: Schedule): Schedule {
  expectSteps("sequential", steps, 0);
  expectArgument("sequential", "the first schedule", first, callback);
  expectArgument("sequential", "the next schedule", next, callback);
  return (step) => (step < steps ? first(step) : next(step - steps));
}

/** Length of a warm-up, either in steps or as a share of all steps, 0 … 1. */
export interface Warmup {
  readonly steps?: number;
  readonly share?: number;
  /** Factor of the first step; see {@link linearWarmup}. */
  readonly start?: number;
}

/**
 * A linear warm-up and then the schedule that `after` makes for the steps that are left (at least 1).
 * @param total all steps, those of the warm-up included
 * @throws RangeError when both steps and a share are given, or when the warm-up is not shorter than the whole
 */
export function withWarmup(total: number, warmup: Warmup, after: (steps: number) => Schedule): Schedule {
  expectSteps("withWarmup", total);
  expectOptions("withWarmup", warmup, { steps: any, share: any, start: any });
  expectArgument("withWarmup", "the schedule after it", after, callback);
  const { steps = 0, share = 0, start } = warmup;
  if (steps > 0 && share > 0)
    throw new RangeError(`a warm-up is given in steps (${steps}) or as a share (${share}), not as both`);
  expectShare("withWarmup", "the share", share);
  const length = steps > 0 ? steps : Math.round(share * total);
  expectSteps("withWarmup", length, 0);
  if (length >= total) throw new RangeError(`a warm-up of ${length} steps leaves none of ${total}; give fewer`);
  if (length === 0) return after(total);
  return sequential(
    linearWarmup({ steps: length, ...(start !== undefined && { start }) }),
    length,
    after(total - length),
  );
}

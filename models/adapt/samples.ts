import type { AdaptableHead, Seen } from "./adaptable-head.ts";
import { type Principal, principalOf } from "./principal.ts";
import type { Sample, Weights } from "./tilt-fit.ts";

/** The most free coordinates: more say little of ratings that are few. */
const mostAxes = 128;

/** Pictures as the fit takes them, and the way back to the embedding. */
export interface Prepared {
  readonly samples: readonly Sample[];
  /** A tilt as a direction of the embedding and a constant. */
  readonly lastLayer: (weights: Weights) => { readonly direction: Float64Array; readonly constant: number };
}

/** @param targets ratings as shares of the scale */
export function prepare(head: AdaptableHead, seen: readonly Seen[], targets: readonly number[]): Prepared {
  const principal = principalOf(
    seen.map(({ embedding }) => embedding),
    mostAxes,
  );
  const { mean, coordinates } = principal;
  const gradient = head.gradientAt(mean);
  const along = seen.map(({ embedding }) => {
    return embedding.reduce((sum, value, i) => sum + (value - mean[i]!) * gradient[i]!, 0);
  });
  const deviation = Math.sqrt(along.reduce((sum, value) => sum + value ** 2, 0) / along.length) || 1;
  const samples = seen.map((one, i) => ({
    seen: one,
    x: coordinates[i]!,
    z: along[i]! / deviation,
    target: targets[i]!,
  }));
  return { samples, lastLayer: (weights) => directionOf(weights, principal, gradient, deviation) };
}

function directionOf(
  weights: Weights,
  { mean, axes, scale }: Principal,
  gradient: Float64Array,
  deviation: number,
): { direction: Float64Array; constant: number } {
  const direction = gradient.map((value) => (value * weights[axes.length]!) / deviation);
  axes.forEach((axis, a) => {
    const weight = weights[a]! / scale;
    for (let i = 0; i < direction.length; i++) direction[i]! += weight * axis[i]!;
  });
  const atMean = direction.reduce((sum, value, i) => sum + value * mean[i]!, 0);
  return { direction, constant: weights[axes.length + 1]! - atMean };
}

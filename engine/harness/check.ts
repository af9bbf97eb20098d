/** How far a result is from the expected one. Errors are relative to the largest expected magnitude. */
export interface Difference {
  /** Largest |found − expected|; infinite where one of them is not a number and the other is. */
  readonly absolute: number;
  /** That over the largest |expected|. */
  readonly relative: number;
  /** Bound on the relative error. */
  readonly tolerance: number;
  readonly elements: number;
  /** Elements beyond the tolerance. */
  readonly wrong: number;
  /** Elements that are expected to be NaN, of which a comparison says little. */
  readonly nans: number;
  /** The first wrong one in memory order. */
  readonly first: { readonly index: readonly number[]; readonly found: number; readonly expected: number } | undefined;
}

/** Numbers that are not equal and not both NaN are as far apart as they can be when one is not finite. */
function distance(found: number, expected: number): number {
  if (Object.is(found, expected) || found === expected) return 0;
  const apart = Math.abs(found - expected);
  return Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
}

/**
 * Compares elements in row-major order.
 * @param shape of both, for the place of the first wrong one
 * @param tolerance an element is wrong when |found − expected| > tolerance · max |expected|
 */
export function difference(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
  tolerance: number,
): Difference {
  let [largest, nans] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(expected[i]!)) nans++;
    const magnitude = Math.abs(expected[i]!);
    if (magnitude > largest && magnitude < Number.POSITIVE_INFINITY) largest = magnitude;
  }
  let [absolute, wrong, first] = [0, 0, -1];
  for (let i = 0; i < expected.length; i++) {
    const apart = distance(found[i]!, expected[i]!);
    if (apart > absolute) absolute = apart;
    if (apart <= tolerance * largest) continue;
    wrong++;
    if (first < 0) first = i;
  }
  return {
    absolute,
    relative: absolute === 0 ? 0 : absolute / largest,
    tolerance,
    elements: expected.length,
    wrong,
    nans,
    first: first < 0 ? undefined : { index: placeOf(first, shape), found: found[first]!, expected: expected[first]! },
  };
}

/** Coordinates of element `at` of a row-major array. */
export function placeOf(at: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  let rest = at;
  for (const extent of [...shape].reverse()) {
    place.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return place;
}

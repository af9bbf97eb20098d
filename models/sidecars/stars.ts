import { expectNames } from "../../engine/arguments.ts";

/** How a score becomes stars. */
export interface StarOptions {
  /** Ends of the scale, the lower first. */
  readonly range: readonly [number, number];
  /** @default false */
  readonly lowerIsBetter?: boolean | undefined;
  /** Four scores, ascending: a picture has one star and one more for each that it reaches. @default the fifths of the range */
  readonly bands?: readonly number[] | undefined;
}

const names = { range: true, lowerIsBetter: true, bands: true } satisfies Record<keyof StarOptions, true>;

/** Stars of XMP that a score gives. */
export type Stars = 1 | 2 | 3 | 4 | 5;

/**
 * Where one number of stars ends and the next begins: with the range 0 to 100 at 20, 40, 60 and 80.
 * @throws RangeError when bands are no four ascending numbers, or are not given for a range without an end
 */
export function starBands({ range: [low, high], bands }: StarOptions): readonly number[] {
  if (bands) {
    const ascend = bands.length === 4 && bands.every((band, i) => Number.isFinite(band) && !(band <= bands[i - 1]!));
    if (ascend) return bands;
    throw new RangeError(`\`bands\` must be four ascending scores such as 20,40,60,80, got ${bands.join(",")}`);
  }
  if (Number.isFinite(low) && Number.isFinite(high)) return [1, 2, 3, 4].map((i) => low + (i * (high - low)) / 5);
  throw new RangeError("`bands` must be given, as the scale of these scores has no end to be divided");
}

/** Stars of a score: 1 to 5, more are better. A score that is a band's has reached it. @throws RangeError as {@link starBands} does */
export function starsOf(score: number, options: StarOptions): Stars {
  expectNames("starsOf", options, names);
  const reached = starBands(options).filter((band) => (options.lowerIsBetter ? score <= band : score >= band));
  return (1 + reached.length) as Stars;
}

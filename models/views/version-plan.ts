import type { Random } from "../../engine/random.ts";
import { type DistortionName, distortionNames } from "../data/degraded/distortions.ts";
import { type ResizingFilter, resizingFilters } from "../data/degraded/kinds/resizing.ts";
import type { Corner, Size } from "./crops.ts";

/** Ways to degrade a version: those of KADID-10k but for three that an encoder cannot tell from others, and resizing through four filters. */
export type VersionKind = { readonly distortion: DistortionName } | { readonly resizing: ResizingFilter };

const leftOut: readonly DistortionName[] = ["jpeg2000", "quantization", "color-quantization"];

/** The 26 of Re-IQA (Saha, Mishra & Bovik 2023). */
export const versionKinds: readonly VersionKind[] = [
  ...distortionNames.filter((name) => !leftOut.includes(name)).map((distortion) => ({ distortion })),
  ...resizingFilters.map((resizing) => ({ resizing })),
];

/** One version of a picture. */
export interface Version {
  /** Absent of the picture as it is. */
  readonly degraded?: { readonly kind: VersionKind; readonly level: number; readonly seed: number };
  /** Whether what is asked for is cut where others have what it is compared with. */
  readonly swapped: boolean;
}

/**
 * The versions of a picture: itself, then so many degraded ones, each by another kind at a level of 1 to 5. Half of all, rounded down, are swapped, so
 * that the place of a crop does not tell which it is compared with.
 */
export function planVersions(random: Random, degraded: number): Version[] {
  const kinds = random.shuffle(versionKinds).slice(0, degraded);
  const swapped = new Set(
    random.shuffle(Array.from({ length: degraded + 1 }, (_, i) => i)).slice(0, (degraded + 1) >> 1),
  );
  const made = kinds.map((kind) => ({ kind, level: 1 + random.integer(5), seed: random.integer(2 ** 32) }));
  return [undefined, ...made].map((each, i) => ({ ...(each && { degraded: each }), swapped: swapped.has(i) }));
}

/** Shares of their area that two crops have in common. */
export const overlap = { least: 0.1, most: 0.3 } as const;

/**
 * Places of two crops that overlap by 10 to 30 % of their area: the shift is drawn evenly among all that do, then the place.
 * @returns undefined when the picture is too small for any
 */
export function drawPair(random: Random, { height, width }: Size, crop: number): readonly [Corner, Corner] | undefined {
  const shifts = shiftsIn(height - crop, width - crop, crop);
  if (shifts.length === 0) return undefined;
  const { down, right } = shifts[random.integer(shifts.length)]!;
  const [top, left] = [random.integer(height - crop - down + 1), random.integer(width - crop - right + 1)];
  const [upper, lower] = [top, top + down];
  // Of the four ways in which two crops lie to each other by such a shift.
  const mirrored = random.integer(2) === 1;
  const first = { top: upper, left: mirrored ? left + right : left };
  const second = { top: lower, left: mirrored ? left : left + right };
  return random.integer(2) === 1 ? [first, second] : [second, first];
}

interface Shift {
  readonly down: number;
  readonly right: number;
}

let kept: { readonly key: string; readonly shifts: readonly Shift[] } | undefined;

function shiftsIn(downMost: number, rightMost: number, crop: number): readonly Shift[] {
  const key = `${downMost} ${rightMost} ${crop}`;
  if (kept?.key === key) return kept.shifts;
  const shifts: Shift[] = [];
  for (let down = 0; down <= Math.min(downMost, crop); down++)
    for (let right = 0; right <= Math.min(rightMost, crop); right++) {
      const common = (crop - down) * (crop - right);
      if (common >= overlap.least * crop * crop && common <= overlap.most * crop * crop) shifts.push({ down, right });
    }
  kept = { key, shifts };
  return shifts;
}

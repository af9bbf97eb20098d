import { type Plane, quantile } from "./planes.ts";

const shares = [0.1, 0.25, 0.5, 0.75, 0.9] as const;
/** Side of the blocks of JPEG. */
const period = 8;

export const gridNames = [
  ...shares.map((share) => `steps that ${100 * share} % of rows and columns do not exceed`),
  ...[
    "unevenness of steps, more",
    "unevenness of steps, less",
    "steps at every eighth, more",
    "steps at every eighth, less",
  ],
  ...["equal beside", "equal below", "equal both ways", "flat"],
];

/**
 * What lattices leave in a picture: steps between its columns, and rows, that are large at some and small at others, at every
 * eighth for JPEG; and neighbours that are equal.
 */
export function gridStatistics({ width, height, values: v }: Plane): number[] {
  const columns = new Float64Array(width - 1);
  const rows = new Float64Array(height - 1);
  let besides = 0;
  let belows = 0;
  let both = 0;
  let flat = 0;
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0, at = y * width; x < width - 1; x++, at++) {
      const beside = Math.abs(v[at + 1]! - v[at]!);
      const below = Math.abs(v[at + width]! - v[at]!);
      columns[x]! += beside;
      rows[y]! += below;
      if (beside === 0) besides++;
      if (below === 0) belows++;
      if (beside === 0 && below === 0) both++;
      if (beside <= 1 && below <= 1) flat++;
    }
  }
  const profiles = [columns.map((sum) => sum / (height - 1)), rows.map((sum) => sum / (width - 1))].map(profileOf);
  const [a, b] = profiles as [Profile, Profile];
  const count = (width - 1) * (height - 1);
  return [
    ...a.spread.map((value, i) => (value + b.spread[i]!) / 2),
    ...[Math.max(a.unevenness, b.unevenness), Math.min(a.unevenness, b.unevenness)],
    ...[Math.max(a.eighth, b.eighth), Math.min(a.eighth, b.eighth)],
    ...[besides / count, belows / count, both / count, flat / count],
  ];
}

interface Profile {
  readonly spread: readonly number[];
  readonly unevenness: number;
  readonly eighth: number;
}

/** Of the mean steps of columns or rows, as parts of their mean. */
function profileOf(steps: Float64Array): Profile {
  const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length + 0.05;
  const relative = steps.map((step) => step / mean);
  const sorted = relative.toSorted();
  let unevenness = 0;
  const sums = new Float64Array(period);
  const counts = new Float64Array(period);
  for (let i = 1; i < relative.length - 1; i++) {
    const [before, here, after] = [relative[i - 1]!, relative[i]!, relative[i + 1]!];
    unevenness += Math.abs(here - before);
    sums[i % period]! += here - (before + after) / 2;
    counts[i % period]!++;
  }
  const phases = sums.map((sum, i) => sum / counts[i]!);
  const level = phases.reduce((sum, phase) => sum + phase, 0) / period;
  return {
    spread: shares.map((share) => quantile(sorted, share)),
    unevenness: unevenness / (relative.length - 2),
    eighth: Math.max(...phases) - level,
  };
}

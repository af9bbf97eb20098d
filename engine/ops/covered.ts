/** Windows along an axis: `count` of them, `stride` apart, each of `taps` places; the first starts at `first`. */
export interface AxisWindows {
  readonly count: number;
  readonly stride: number;
  readonly taps: number;
  /** Negative where the windows start in front of the axis. */
  readonly first: number;
}

/** Places 0 … extent − 1 of an axis that lie in some window. */
export function coveredPlaces(extent: number, { count, stride, taps, first }: AxisWindows): number {
  const inside = (start: number, length: number) => Math.max(0, Math.min(start + length, extent) - Math.max(start, 0));
  if (stride <= taps) return inside(first, (count - 1) * stride + taps);
  let places = 0;
  for (let i = 0; i < count; i++) places += inside(first + i * stride, taps);
  return places;
}

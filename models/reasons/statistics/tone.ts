import type { Picture } from "../../data/index.ts";
import type { Planes } from "./planes.ts";

const shares = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99] as const;

export const toneNames = [
  ...shares.map((share) => `luma below which ${100 * share} % lie`),
  ...["mean luma", "deviation of luma", "dark share", "light share", "clipped light", "clipped dark"],
  ...["colourfulness", "levels in use"],
];

/** How light and dark a picture is, from the histogram of its luma: shares and levels as parts of 1. */
export function toneStatistics({ pixels }: Picture, { luma }: Planes): number[] {
  const count = luma.values.length;
  const histogram = new Float64Array(256);
  for (let i = 0; i < count; i++) histogram[luma.values[i]!]!++;
  let lightClipped = 0;
  let darkClipped = 0;
  let colours = 0;
  for (let at = 0; at < pixels.length; at += 3) {
    const r = pixels[at]!;
    const g = pixels[at + 1]!;
    const b = pixels[at + 2]!;
    const most = Math.max(r, g, b);
    if (most >= 252) lightClipped++;
    if (most <= 6) darkClipped++;
    colours += most - Math.min(r, g, b);
  }
  const [mean, deviation] = momentsOf(histogram, count);
  const share = (from: number, to: number) => histogram.slice(from, to).reduce((sum, n) => sum + n, 0) / count;
  return [
    ...quantilesOf(histogram, count),
    mean / 255,
    deviation / 255,
    share(0, 9),
    share(247, 256),
    lightClipped / count,
    darkClipped / count,
    colours / count / 255,
    histogram.filter((n) => n >= count / 10_000).length / 256,
  ];
}

function momentsOf(histogram: Float64Array, count: number): [mean: number, deviation: number] {
  const mean = histogram.reduce((sum, n, level) => sum + n * level, 0) / count;
  return [mean, Math.sqrt(histogram.reduce((sum, n, level) => sum + n * (level - mean) ** 2, 0) / count)];
}

function quantilesOf(histogram: Float64Array, count: number): number[] {
  return shares.map((share) => {
    let [level, below] = [0, histogram[0]!];
    while (below < share * count - 1e-6 && level < 255) below += histogram[++level]!;
    return level / 255;
  });
}

import { flatWorkgroup } from "../../../../engine/kernel/grid.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { runKernel } from "./kernels.ts";

/** How many samples of a picture lie at each of 256 levels. Counted on the GPU. */
export async function histogramOf(x: Tensor): Promise<Uint32Array> {
  using bins = Tensor.zeros(x.device, [256], "u32");
  runKernel("distort/histogram", {
    tensors: { x, bins },
    parameters: { count: x.size },
    invocations: Math.ceil(x.size / (64 * flatWorkgroup)) * flatWorkgroup,
    flops: 2 * 64,
  });
  return bins.readIndices();
}

/**
 * The thresholds that part a histogram into classes with the largest variance between them (Otsu 1979), exactly: by dynamic
 * programming over the levels. A level belongs to the class of the first threshold that is not below it; of equals the lowest
 * threshold is taken.
 * @returns `count` rising levels, fewer when there are not more levels than that
 */
export function otsuThresholds(histogram: ArrayLike<number>, count: number): number[] {
  const levels = Array.from(histogram, (_, level) => level).filter((level) => histogram[level]! > 0);
  const classes = Math.min(count + 1, levels.length);
  // Counts and sums of all levels before.
  const counts = [0];
  const sums = [0];
  for (const [i, level] of levels.entries()) {
    counts.push(counts[i]! + histogram[level]!);
    sums.push(sums[i]! + histogram[level]! * level);
  }
  // Variance between classes is Σ n μ² less a constant.
  const gain = (from: number, to: number) => (sums[to]! - sums[from]!) ** 2 / (counts[to]! - counts[from]!);
  let best = levels.map((_, i) => gain(0, i + 1));
  const cuts: number[][] = [];
  for (let k = 1; k < classes; k++) {
    const before = best;
    const cut: number[] = [];
    best = levels.map((_, i) => {
      let most = Number.NEGATIVE_INFINITY;
      for (let j = k - 1; j < i; j++) {
        const value = before[j]! + gain(j + 1, i + 1);
        if (value > most) {
          most = value;
          cut[i] = j;
        }
      }
      return most;
    });
    cuts.push(cut);
  }
  const thresholds: number[] = [];
  let at = levels.length - 1;
  for (const cut of cuts.reverse()) {
    at = cut[at]!;
    thresholds.unshift(levels[at]!);
  }
  return thresholds;
}

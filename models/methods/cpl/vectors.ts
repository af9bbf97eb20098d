import { convertScore, expectation, HIGHEST, LOWEST } from "../../labels/labels.ts";
import type { CplOptions } from "./options.ts";

/** Scores on [1, 100] as labels by the option `labelMode`, [n, m]; those beyond the scale at its end. */
export function converted(
  scores: ArrayLike<number>,
  { levels, labelMode, labelDeviation }: Pick<CplOptions, "levels" | "labelMode" | "labelDeviation">,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(scores.length * levels);
  for (let i = 0; i < scores.length; i++) {
    const within = Math.min(HIGHEST, Math.max(LOWEST, scores[i]!));
    out.set(convertScore(within, labelMode, levels, labelDeviation), i * levels);
  }
  return out;
}

/** Expectation of each row, on [1, 100]. */
export function expectations(rows: Float32Array, levels: number): Float64Array {
  return Float64Array.from({ length: rows.length / levels }, (_, i) =>
    expectation(rows.subarray(i * levels, (i + 1) * levels)),
  );
}

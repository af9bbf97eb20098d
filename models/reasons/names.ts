/** What may lower the score of a picture. */
export const reasons = [
  "blur",
  "motion-blur",
  "noise",
  "compression",
  "dark",
  "overexposed",
  "low-contrast",
  "pixelation",
] as const;

export type Reason = (typeof reasons)[number];

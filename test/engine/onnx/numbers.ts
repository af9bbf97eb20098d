/** So many unlike numbers, the same every time, on [-factor, factor]. */
export const numbers = (count: number, factor = 1) =>
  Float32Array.from({ length: count }, (_, i) => factor * Math.sin(i + 1));

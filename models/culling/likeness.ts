/** Side of the small copy that likeness is told by, pixels. */
export const smallSide = 24;

/** Pixels by which small copies are moved against each other, to each side: an eighth of a picture. */
const furthest = 3;

/**
 * Ranks of the pixels of a picture within each channel, −127 to 127, in place of their values: a curve of exposure does not change them, and what is clipped loses
 * its own detail alone.
 * @param small [24, 24, 3], 0 to 255
 */
export function outlineOf(small: Uint8Array): Int8Array {
  const pixels = smallSide * smallSide;
  const ranks = new Int8Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++) {
    const counts = new Uint32Array(257);
    for (let i = 0; i < pixels; i++) counts[small[3 * i + channel]! + 1]!++;
    for (let value = 1; value <= 256; value++) counts[value]! += counts[value - 1]!;
    for (let i = 0; i < pixels; i++) {
      const value = small[3 * i + channel]!;
      const share = (counts[value]! + counts[value + 1]!) / (2 * pixels);
      ranks[3 * i + channel] = Math.round(254 * share - 127);
    }
  }
  return ranks;
}

/**
 * How alike two pictures look, −1 to 1: the rank correlation of their small copies (Spearman's, of all channels together), at the shift of at most an
 * eighth of a side to which a climb from none leads.
 * @param a, b as {@link outlineOf} gives them
 */
export function likeness(a: Int8Array, b: Int8Array): number {
  const side = 2 * furthest + 1;
  const known = new Float64Array(side * side).fill(Number.NaN);
  const at = (dx: number, dy: number) => {
    if (Math.max(Math.abs(dx), Math.abs(dy)) > furthest) return -1;
    const index = (dy + furthest) * side + dx + furthest;
    if (Number.isNaN(known[index]!)) known[index] = correlation(a, b, dx, dy);
    return known[index]!;
  };
  let [x, y] = [0, 0];
  for (;;) {
    const here = at(x, y);
    const [[dx, dy]] = steps.toSorted(([ax, ay], [bx, by]) => at(x + bx, y + by) - at(x + ax, y + ay)) as [Step];
    if (at(x + dx, y + dy) <= here) return here;
    [x, y] = [x + dx, y + dy];
  }
}

type Step = readonly [number, number];

const steps: readonly Step[] = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
];

function correlation(a: Int8Array, b: Int8Array, dx: number, dy: number): number {
  const [left, right] = [Math.max(0, -dx), Math.min(smallSide, smallSide - dx)];
  const [top, bottom] = [Math.max(0, -dy), Math.min(smallSide, smallSide - dy)];
  let [sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0];
  for (let y = top; y < bottom; y++) {
    const end = 3 * (y * smallSide + right);
    const offset = 3 * (dy * smallSide + dx);
    for (let i = 3 * (y * smallSide + left); i < end; i++) {
      const [p, q] = [a[i]!, b[i + offset]!];
      sumA += p;
      sumB += q;
      squaresA += p * p;
      squaresB += q * q;
      products += p * q;
    }
  }
  const count = 3 * (right - left) * (bottom - top);
  const scale = Math.sqrt((squaresA - sumA ** 2 / count) * (squaresB - sumB ** 2 / count));
  return scale > 1e-9 ? (products - (sumA * sumB) / count) / scale : 0;
}

import { halved, type Plane } from "./planes.ts";

const scales = 4;
const directions = 12;
/** Added to energies before their logarithm; rounding to whole levels alone has 1/12. */
const floor = 0.05;

export const detailNames = Array.from({ length: scales }, (_, scale) =>
  [
    "gradient energy",
    "isotropy of gradients",
    "curvature energy",
    "curvature across the direction of least",
    "isotropy of curvature",
    "peakedness of the Laplacian",
    ...(scale > 0 ? ["curvature in the direction of least at full size"] : []),
  ].map((name) => `${name}, 1/${2 ** scale}`),
).flat();

/**
 * How much fine detail a picture has at four scales, and whether it has less of it in one direction: blur takes it from all,
 * motion from its own.
 */
export function detailStatistics(luma: Plane): number[] {
  const numbers: number[] = [];
  let plane = luma;
  let least: number | undefined;
  for (let scale = 0; scale < scales; scale++) {
    if (scale > 0) plane = halved(plane);
    const moments = momentsOf(plane);
    const energies = Array.from({ length: directions }, (_, i) => curvatureEnergy(moments, (i * Math.PI) / directions));
    const own = energies.indexOf(Math.min(...energies));
    const mean = energies.reduce((sum, energy) => sum + energy, 0) / directions;
    const [major, minor] = principal(moments);
    const log = (energy: number) => Math.log(energy + floor);
    numbers.push(
      log(major),
      log(minor) - log(major),
      log(Math.max(...energies)),
      log(energies[(own + directions / 2) % directions]!) - log(mean),
      log(energies[own]!) - log(Math.max(...energies)),
      Math.log((moments.laplacian4 + floor ** 2) / (moments.laplacian2 + floor) ** 2),
    );
    if (least !== undefined) numbers.push(log(energies[least]!) - log(mean));
    least ??= own;
  }
  return numbers;
}

/** Means over the inner pixels, of products of derivatives by central differences. */
interface Moments {
  readonly xx: number;
  readonly xy: number;
  readonly yy: number;
  /** Of I_xx, I_xy, I_yy: squares and products. */
  readonly xx2: number;
  readonly xy2: number;
  readonly yy2: number;
  readonly xxxy: number;
  readonly xxyy: number;
  readonly xyyy: number;
  readonly laplacian2: number;
  readonly laplacian4: number;
}

function momentsOf({ width, height, values: v }: Plane): Moments {
  let sxx = 0;
  let sxy = 0;
  let syy = 0;
  let sxx2 = 0;
  let sxy2 = 0;
  let syy2 = 0;
  let sxxxy = 0;
  let sxxyy = 0;
  let sxyyy = 0;
  let s2 = 0;
  let s4 = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * width + 1; at < (y + 1) * width - 1; at++) {
      const left = v[at - 1]!;
      const right = v[at + 1]!;
      const above = v[at - width]!;
      const below = v[at + width]!;
      const here = 2 * v[at]!;
      const gx = (right - left) / 2;
      const gy = (below - above) / 2;
      const xx = left + right - here;
      const yy = above + below - here;
      const xy = (v[at + width + 1]! - v[at + width - 1]! - v[at - width + 1]! + v[at - width - 1]!) / 4;
      const laplacian = (xx + yy) ** 2;
      sxx += gx * gx;
      sxy += gx * gy;
      syy += gy * gy;
      sxx2 += xx * xx;
      sxy2 += xy * xy;
      syy2 += yy * yy;
      sxxxy += xx * xy;
      sxxyy += xx * yy;
      sxyyy += xy * yy;
      s2 += laplacian;
      s4 += laplacian * laplacian;
    }
  }
  const n = (width - 2) * (height - 2);
  return {
    ...{ xx: sxx / n, xy: sxy / n, yy: syy / n, laplacian2: s2 / n, laplacian4: s4 / n },
    ...{ xx2: sxx2 / n, xy2: sxy2 / n, yy2: syy2 / n, xxxy: sxxxy / n, xxyy: sxxyy / n, xyyy: sxyyy / n },
  };
}

/** Mean of (c² I_xx + 2cs I_xy + s² I_yy)², the second derivative in a direction. */
function curvatureEnergy({ xx2, xy2, yy2, xxxy, xxyy, xyyy }: Moments, angle: number): number {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const [cc, cs, ss] = [c * c, 2 * c * s, s * s];
  return cc * cc * xx2 + cs * cs * xy2 + ss * ss * yy2 + 2 * (cc * cs * xxxy + cc * ss * xxyy + cs * ss * xyyy);
}

/** Eigenvalues of the structure tensor, the larger first. */
function principal({ xx, xy, yy }: Moments): [major: number, minor: number] {
  const middle = (xx + yy) / 2;
  const reach = Math.hypot((xx - yy) / 2, xy);
  return [middle + reach, Math.max(0, middle - reach)];
}

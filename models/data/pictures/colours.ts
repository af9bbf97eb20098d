import type { Curve, CurveProfile } from "./headers/icc.ts";

/** Coding-independent code points of ITU-T H.273. */
export interface Cicp {
  readonly primaries: number;
  readonly transfer: number;
}

/** How stored samples become light: what tells apart Display P3, Rec. 2020, linear light and others from sRGB. */
export interface ColourSpace {
  /** Sample to light, 0-1: one curve for all channels or one for each. */
  readonly curves: readonly Curve[];
  /** Light of the three channels to linear sRGB, by rows; undefined where only the curves differ. */
  readonly toLinearSrgb?: readonly number[];
}

type Matrix = readonly number[];

/** x and y of white, red, green and blue. Source: ITU-T H.273, table 2. */
const d65 = [0.3127, 0.329];
const illuminantC = [0.31, 0.316];
const primaries: Readonly<Record<number, readonly number[]>> = {
  1: [...d65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06],
  4: [...illuminantC, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08],
  5: [...d65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06],
  6: [...d65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07],
  7: [...d65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07],
  8: [...illuminantC, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049],
  9: [...d65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046],
  10: [1 / 3, 1 / 3, 1, 0, 0, 1, 0, 0],
  11: [0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06],
  12: [...d65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06],
  22: [...d65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077],
};

const srgbCurve: Curve = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
const rec709: Curve = (x) => x ** 2.4;
const power =
  (exponent: number): Curve =>
  (x) =>
    x ** exponent;

/** The inverse of how light is encoded. Source: ITU-T H.273, table 3. */
const transfers: Readonly<Record<number, Curve>> = {
  1: rec709,
  4: power(2.2),
  5: power(2.8),
  6: rec709,
  7: (x) => (x < 0.0912863 ? x / 4 : ((x + 0.1115722) / 1.1115722) ** (1 / 0.45)),
  8: (x) => x,
  11: rec709,
  13: srgbCurve,
  14: rec709,
  15: rec709,
  17: (x) => (52.37 / 48) * x ** 2.6,
};

const hdrTransfers: Readonly<Record<number, string>> = { 16: "PQ", 18: "HLG" };

/**
 * Name of a transfer of pictures with high dynamic range: each screen shows those in its own way, so that they have no one
 * picture in sRGB.
 */
export function hdrName(transfer: number | undefined): string | undefined {
  return transfer === undefined ? undefined : hdrTransfers[transfer];
}

/** The colours of code points; "sRGB" where they are those; undefined where they have no meaning here. */
export function coloursOfCicp({ primaries: place, transfer }: Cicp): ColourSpace | "sRGB" | undefined {
  const [points, curve] = [primaries[place], transfers[transfer]];
  if (!points || !curve) return undefined;
  const isSrgb = curve === srgbCurve;
  if (place === 1) return isSrgb ? "sRGB" : { curves: [curve] };
  const toXyz = toXyzD50(points);
  return toXyz && { curves: [curve], toLinearSrgb: toLinearSrgb(toXyz) };
}

/**
 * Colours of a power law. Without chromaticities an exponent within 5% of that of sRGB means sRGB, as in libpng and browsers.
 * @param gamma the exponent with which light was encoded, such as 0.45455
 * @param chromaticities x and y of white, red, green and blue
 */
export function coloursOfGamma(gamma: number, chromaticities?: readonly number[]): ColourSpace | "sRGB" {
  if (gamma === 0) return "sRGB";
  const curves = [power(1 / gamma)];
  if (!chromaticities) return Math.abs(gamma / 0.45455 - 1) <= 0.05 ? "sRGB" : { curves };
  const toXyz = toXyzD50(chromaticities);
  // Chromaticities that span nothing make the whole statement one that browsers leave aside.
  return toXyz ? { curves, toLinearSrgb: toLinearSrgb(toXyz) } : "sRGB";
}

export function coloursOfProfile({ curves, toXyz }: CurveProfile): ColourSpace {
  return toXyz ? { curves, toLinearSrgb: toLinearSrgb(toXyz) } : { curves };
}

/** Sample of sRGB, 0-1, of light, 0-1. Source: IEC 61966-2-1. */
export function encodeSrgb(light: number): number {
  return light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
}

/** M_sRGB⁻¹ · M, both to XYZ under D50. */
function toLinearSrgb(toXyz: Matrix): Matrix {
  return multiply(inverse(toXyzD50(primaries[1]!)!)!, toXyz);
}

/**
 * Linear RGB to XYZ under D50: columns are the primaries' XYZ, scaled so that their sum is white, then adapted by Bradford.
 * Undefined where the points span no colours.
 * Source: SMPTE RP 177; ICC.1:2022, annex E.
 */
function toXyzD50([xw, yw, xr, yr, xg, yg, xb, yb]: readonly number[]): Matrix | undefined {
  const xyz = (x: number, y: number) => [x, y, 1 - x - y];
  const points = transpose([...xyz(xr!, yr!), ...xyz(xg!, yg!), ...xyz(xb!, yb!)]);
  const back = inverse(points);
  if (!back || !(yw! > 0)) return undefined;
  const white = xyz(xw!, yw!).map((value) => value / yw!);
  const scale = apply(back, white);
  const unadapted = points.map((value, i) => value * scale[i % 3]!);
  const bradford = [0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296];
  const [from, to] = [apply(bradford, white), apply(bradford, [0.9642, 1, 0.8249])];
  const gains = [to[0]! / from[0]!, 0, 0, 0, to[1]! / from[1]!, 0, 0, 0, to[2]! / from[2]!];
  const all = multiply(multiply(inverse(bradford)!, multiply(gains, bradford)), unadapted);
  return all.every(Number.isFinite) ? all : undefined;
}

function transpose(m: Matrix): Matrix {
  return m.map((_, i) => m[3 * (i % 3) + Math.floor(i / 3)]!);
}

function apply(m: Matrix, v: readonly number[]): number[] {
  return [0, 3, 6].map((row) => m[row]! * v[0]! + m[row + 1]! * v[1]! + m[row + 2]! * v[2]!);
}

function multiply(a: Matrix, b: Matrix): Matrix {
  const columns = [0, 1, 2].map((column) => apply(a, [b[column]!, b[column + 3]!, b[column + 6]!]));
  return transpose(columns.flat());
}

/** By cofactors; undefined for a matrix without an inverse. */
function inverse(m: Matrix): Matrix | undefined {
  const cofactor = (i: number) => {
    const [row, column] = [Math.floor(i / 3), i % 3];
    const at = (r: number, c: number) => m[3 * ((row + r) % 3) + ((column + c) % 3)]!;
    return at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1);
  };
  const cofactors = m.map((_, i) => cofactor(i));
  const determinant = m[0]! * cofactors[0]! + m[1]! * cofactors[1]! + m[2]! * cofactors[2]!;
  if (Math.abs(determinant) < 1e-9) return undefined;
  return transpose(cofactors).map((value) => value / determinant);
}

/** How a sample of an ICC profile becomes light, 0-1 to 0-1. */
export type Curve = (sample: number) => number;

/** An ICC profile that consists of curves, and for colours a matrix. */
export interface CurveProfile {
  /** One curve for grey; three for red, green and blue. */
  readonly curves: readonly Curve[];
  /** XYZ under D50 of full red, green and blue, by columns; undefined for grey. */
  readonly toXyz?: readonly number[];
}

/** What a profile is, as far as it is looked into. */
export interface Profile {
  /** Signature of the colours that it describes: "RGB ", "GRAY", "CMYK". */
  readonly space: string;
  /** Transfer characteristics by its `cicp` tag, ITU-T H.273. */
  readonly transfer?: number;
  /** Undefined for a profile that needs a table of colours. */
  readonly byCurves?: CurveProfile;
}

/**
 * Reads an ICC profile, of version 2 or 4.
 * @returns undefined for bytes that are no profile
 * Source: ICC.1:2022, sections 7 and 10.
 */
export function readProfile(bytes: Uint8Array): Profile | undefined {
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (signature(view, 36) !== "acsp" || view.getUint32(0) > bytes.length) return undefined;
    const tags = new Map<string, DataView>();
    const count = Math.min(view.getUint32(128), 1000);
    for (let i = 0; i < count; i++) {
      const at = 132 + 12 * i;
      tags.set(
        signature(view, at),
        new DataView(bytes.buffer, bytes.byteOffset + view.getUint32(at + 4), view.getUint32(at + 8)),
      );
    }
    const cicp = tags.get("cicp");
    const byCurves = curveProfile(signature(view, 16), signature(view, 20), tags);
    return {
      space: signature(view, 16),
      ...(cicp && { transfer: cicp.getUint8(9) }),
      ...(byCurves && { byCurves }),
    };
  } catch (error) {
    // A place beyond the end of the profile.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function signature(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

function curveProfile(
  space: string,
  connection: string,
  tags: ReadonlyMap<string, DataView>,
): CurveProfile | undefined {
  // A table of colours counts before curves.
  if (tags.has("A2B0")) return undefined;
  const names = space === "GRAY" ? ["kTRC"] : space === "RGB " ? ["rTRC", "gTRC", "bTRC"] : [];
  const curves = names.flatMap((name) => {
    const tag = tags.get(name);
    return (tag && readCurve(tag)) ?? [];
  });
  if (names.length === 0 || curves.length < names.length) return undefined;
  if (space === "GRAY") return { curves: connection === "Lab " ? [(x) => lightOf(100 * curves[0]!(x))] : curves };
  const columns = ["rXYZ", "gXYZ", "bXYZ"].flatMap((name) => tags.get(name) ?? []);
  if (columns.length < 3) return undefined;
  return {
    curves,
    toXyz: Array.from({ length: 9 }, (_, i) => columns[i % 3]!.getInt32(8 + 4 * Math.floor(i / 3)) / 65536),
  };
}

/** Y of CIE L*, 0-100. */
function lightOf(lightness: number): number {
  const f = (lightness + 16) / 116;
  return f > 6 / 29 ? f ** 3 : 3 * (6 / 29) ** 2 * (f - 4 / 29);
}

/** Samples have no more values that would tell points apart. */
const mostPoints = 65536;

/** Undefined for a type that is not known. */
function readCurve(view: DataView): Curve | undefined {
  const type = signature(view, 0);
  if (type === "para") return parametric(view);
  if (type !== "curv") return undefined;
  const count = view.getUint32(8);
  if (count === 0) return (x) => x;
  if (count === 1) {
    const exponent = view.getUint16(12) / 256;
    return (x) => x ** exponent;
  }
  if (count > mostPoints || 12 + 2 * count > view.byteLength) return undefined;
  const points = Float64Array.from({ length: count }, (_, i) => view.getUint16(12 + 2 * i) / 65535);
  return (x) => {
    const place = x * (count - 1);
    const low = Math.min(Math.floor(place), count - 2);
    return points[low]! + (place - low) * (points[low + 1]! - points[low]!);
  };
}

/** y = (a x + b)^g + e from d on, below it c x + f; simpler types leave the later ones out. */
function parametric(view: DataView): Curve | undefined {
  const type = view.getUint16(8);
  const parameter = (i: number) => view.getInt32(12 + 4 * i) / 65536;
  const g = parameter(0);
  if (type === 0) return (x) => x ** g;
  const [a, b] = [parameter(1), parameter(2)];
  const power = (x: number) => Math.max(0, a * x + b) ** g;
  if (type === 1) return (x) => (x >= -b / a ? power(x) : 0);
  const c = parameter(3);
  if (type === 2) return (x) => (x >= -b / a ? power(x) + c : c);
  const d = parameter(4);
  if (type === 3) return (x) => (x >= d ? power(x) : c * x);
  if (type !== 4) return undefined;
  const [e, f] = [parameter(5), parameter(6)];
  return (x) => (x >= d ? power(x) + e : c * x + f);
}

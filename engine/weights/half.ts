/** Bits of a float32, for the conversions below. */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** IEEE 754 half precision bits → number, exactly. */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Half precision bits → numbers, exactly. A loop over bits: a function for each element takes five times as long. */
export function halvesToNumbers(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const numbers = new Float32Array(halves.length);
  const words = new Uint32Array(numbers.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const magnitude = half & 0x7fff;
    // Of 2^-14 and more the exponent moves by 112, and to that of what is infinite or no number by as much again; below, halves are
    // evenly spaced.
    if (magnitude < 0x400) numbers[i] = (half & 0x8000 ? -1 : 1) * magnitude * 2 ** -24;
    else words[i] = ((half & 0x8000) << 16) | ((magnitude << 13) + (magnitude < 0x7c00 ? 112 : 224) * 2 ** 23);
  }
  return numbers;
}

/** Number → IEEE 754 half precision bits, the float32 value rounded to nearest, ties to even; infinity beyond 65504. */
export function numberToHalf(value: number): number {
  float[0] = value;
  const whole = bits[0]!;
  const sign = (whole >>> 16) & 0x8000;
  const magnitude = Math.abs(float[0]);
  if (Number.isNaN(magnitude)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below 2^-14 halves are evenly spaced by 2^-24; above, by 2^-10 of their power of two.
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  const exponent = ((whole >>> 23) & 0xff) - 127;
  return sign | (((exponent + 15) << 10) + roundToEven((magnitude / 2 ** exponent - 1) * 1024));
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** bfloat16 bits → number, exactly. */
export function bfloatToNumber(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

/** Number → bfloat16 bits, the float32 value rounded to nearest, ties to even. */
export function numberToBfloat(value: number): number {
  float[0] = value;
  const whole = bits[0]!;
  if (Number.isNaN(value)) return (whole >>> 16) | 0x40;
  return ((whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16) & 0xffff;
}

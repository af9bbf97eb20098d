/** What phase congruency needs of a size of picture; all numbers that are no f32 are sums in float64. */
export interface LogGabor {
  /** [scales, height, width]: a log-Gabor filter of each scale without its angle, frequencies in the order of the transform. */
  readonly radial: Float32Array<ArrayBuffer>;
  /** Of each orientation [height, width]. */
  readonly angular: readonly Float32Array<ArrayBuffer>[];
  /** Of each orientation the noise threshold of local energy for finest answers whose squares have a median of 1. */
  readonly noise: readonly number[];
}

export const scales = 4;
export const orientations = 4;

const leastWavelength = 6;
const wavelengthRatio = 2;
/** Width of a filter along the radius: σ of its Gaussian on the logarithm of frequency over centre frequency. */
const bandwidth = Math.log(0.55) ** 2;
/** Deviation of a filter along the angle. */
const angularDeviation = Math.PI / orientations / 1.2;
/** Deviations of noise above its mean that a threshold has. */
const noiseDeviations = 2;
/** What FSIM divides Kovesi's threshold by. */
const noiseDivisor = 1.7;
/** Butterworth low pass that keeps the corners of the spectrum out: frequency of one half, and order. */
const cutoff = 0.45;
const order = 15;

/**
 * Log-Gabor filters of four scales and four orientations (Kovesi, "Image features from phase congruency", Videre 1999), with the settings of FSIM (Zhang, Zhang,
 * Mou & Zhang, IEEE TIP 2011): wavelengths 6, 12, 24, 48 pixels, σ 0.55, angular deviation π / 4 / 1.2, noise k = 2.
 */
export function logGabor(height: number, width: number): LogGabor {
  const [rows, columns] = [frequencies(height), frequencies(width)];
  const count = height * width;
  const radial = new Float32Array(scales * count);
  const angular = Array.from({ length: orientations }, () => new Float32Array(count));
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const at = i * width + j;
      // The mean has no phase.
      if (at === 0) continue;
      const radius = Math.hypot(rows[i]!, columns[j]!);
      const low = 1 / (1 + (radius / cutoff) ** (2 * order));
      for (let s = 0; s < scales; s++) {
        const centre = 1 / (leastWavelength * wavelengthRatio ** s);
        radial[s * count + at] = low * Math.exp(-(Math.log(radius / centre) ** 2) / (2 * bandwidth));
      }
      const theta = Math.atan2(-rows[i]!, columns[j]!);
      angular.forEach((own, o) => {
        const apart = theta - (o * Math.PI) / orientations;
        const distance = Math.abs(Math.atan2(Math.sin(apart), Math.cos(apart)));
        own[at] = Math.exp(-(distance ** 2) / (2 * angularDeviation ** 2));
      });
    }
  }
  return { radial, angular, noise: angular.map((own) => noiseOf(radial, own, height, width)) };
}

/**
 * Frequencies of a transform of length n, in cycles for each pixel, in its order. An odd length has them stretched so that the ends are ½, as Kovesi's
 * code has.
 */
function frequencies(n: number): number[] {
  const span = n % 2 === 1 ? Math.max(1, n - 1) : n;
  return Array.from({ length: n }, (_, k) => (k < n / 2 ? k : k - n) / span);
}

/**
 * Kovesi's estimate: noise of energy g in each filter's output has E[energy²] = 2 g (Σ_s r_s² + 2 Σ_{s<t} r_s r_t), r the real parts of filters in space;
 * g = median / ln 2 / Σ F_0². A threshold is the mean of a Rayleigh distribution of that plus k deviations. By Parseval's theorem
 * Σ_x r_s r_t = Σ_f E_s E_t, E the even part of a filter.
 */
function noiseOf(radial: Float32Array, angular: Float32Array, height: number, width: number): number {
  const count = height * width;
  let finest = 0;
  let squares = 0;
  let whole = 0;
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const at = i * width + j;
      const opposite = ((height - i) % height) * width + ((width - j) % width);
      finest += (radial[at]! * angular[at]!) ** 2;
      let total = 0;
      for (let s = 0; s < scales; s++) {
        const even = (radial[s * count + at]! * angular[at]! + radial[s * count + opposite]! * angular[opposite]!) / 2;
        squares += even ** 2;
        total += even;
      }
      whole += total ** 2;
    }
  }
  // 2 Σ_{s<t} E_s E_t = (Σ E)² − Σ E²
  const energy = (2 * squares + 2 * (whole - squares)) / (Math.LN2 * finest);
  const tau = Math.sqrt(energy / 2);
  return (tau * (Math.sqrt(Math.PI / 2) + noiseDeviations * Math.sqrt(2 - Math.PI / 2))) / noiseDivisor;
}

import { levenbergMarquardt } from "ml-levenberg-marquardt";
import { correlation, rmse } from "./linear.ts";
import { checkPairs, isConstant, moments, type Scores } from "./pairs.ts";

/**
 * The curve that maps predicted scores onto the MOS scale before PLCC and RMSE are taken.
 * - `logistic4`: f(x) = (b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2, parameters [b1, b2, b3, b4], b4 > 0
 * - `linear`: f(x) = a x + b, parameters [a, b]
 */
export interface FittedCurve {
  readonly curve: "logistic4" | "linear";
  readonly parameters: readonly number[];
  /** Why the logistic was not used; absent for `logistic4`. */
  readonly reason?: string;
  /** Maps one predicted score onto the MOS scale. */
  map(score: number): number;
}

/** PLCC and RMSE after the fitted curve, with the curve that was used. */
export interface FittedPlcc extends FittedCurve {
  readonly plcc: number;
  readonly rmse: number;
}

const logistic = (z: number) => 1 / (1 + Math.exp(-z));

/**
 * Fits the VQEG logistic of four parameters by least squares (Levenberg-Marquardt, exact Jacobian), on standardised
 * scores with the width fitted as its logarithm, from two starting widths. Falls back to a straight line, saying why,
 * when there are fewer than 5 pictures, either list is constant, or the fit does not settle.
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 *
 * Source: VQEG, final report on the validation of objective models (2000); start values as in the IQA literature:
 * b1 = max(MOS), b2 = min(MOS), b3 = mean(x), b4 = sd(x)/4, with b1 and b2 exchanged for a falling relation.
 */
export function fitCurve(predicted: Scores, mos: Scores): FittedCurve {
  checkPairs(predicted, mos, 2);
  const n = mos.length;
  if (isConstant(predicted)) return fitLine(predicted, mos, "the predicted scores are constant");
  if (isConstant(mos)) return fitLine(predicted, mos, "the true scores are constant");
  if (n < 5) return fitLine(predicted, mos, `4 parameters need at least 5 pictures, got ${n}`);

  const { xx, yy, xy, meanX, meanY } = moments(predicted, mos);
  const sdX = Math.sqrt(xx / n);
  const sdY = Math.sqrt(yy / n);
  const x = Float64Array.from({ length: n }, (_, i) => (predicted[i]! - meanX) / sdX);
  const y = Float64Array.from({ length: n }, (_, i) => (mos[i]! - meanY) / sdY);
  const top = y.reduce((a, b) => Math.max(a, b));
  const bottom = y.reduce((a, b) => Math.min(a, b));
  const ends = xy >= 0 ? [top, bottom] : [bottom, top];

  let best: Descent | undefined;
  for (const width of [0.25, 1]) {
    const found = descend(x, y, [ends[0]!, ends[1]!, 0, Math.log(width)]);
    if (found && (!best || found.error < best.error)) best = found;
  }
  if (!best) return fitLine(predicted, mos, "the logistic fit broke down numerically");
  if (!best.settled) return fitLine(predicted, mos, "the logistic fit did not converge");

  const [b1, b2, b3, logWidth] = best.parameters as [number, number, number, number];
  const parameters = [b1 * sdY + meanY, b2 * sdY + meanY, b3 * sdX + meanX, Math.exp(logWidth) * sdX];
  // Evaluated from the standardised parameters: a wide logistic subtracts huge, nearly equal ends.
  const map = (score: number) =>
    meanY + sdY * (b2 + (b1 - b2) * logistic(((score - meanX) / sdX - b3) * Math.exp(-logWidth)));
  return { curve: "logistic4", parameters, map };
}

interface Descent {
  readonly parameters: number[];
  readonly error: number;
  readonly settled: boolean;
}

/** Runs Levenberg-Marquardt until another round of steps no longer lowers the squared error. */
function descend(x: Float64Array, y: Float64Array, start: number[]): Descent | undefined {
  const model = (p: number[]) => (at: number) => p[1]! + (p[0]! - p[1]!) * logistic((at - p[2]!) * Math.exp(-p[3]!));
  // s = logistic(z), z = (x - b3) e^-t:  df/db1 = s  df/db2 = 1 - s  df/db3 = -(b1-b2) s(1-s) e^-t  df/dt = -(b1-b2) s(1-s) z
  const jacobian = (p: number[]) => (at: number) => {
    const inverseWidth = Math.exp(-p[3]!);
    const z = (at - p[2]!) * inverseWidth;
    const s = logistic(z);
    const bend = (p[0]! - p[1]!) * s * (1 - s);
    return [s, 1 - s, -bend * inverseWidth, -bend * z];
  };
  let parameters = start;
  let error = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 12; round++) {
    let found: { parameterValues: number[]; parameterError: number };
    try {
      found = levenbergMarquardt({ x, y }, model, {
        initialValues: parameters,
        jacobianFunction: jacobian,
        maxIterations: 25,
        errorTolerance: 1e-14,
        minValues: [-1e4, -1e4, -1e2, -7],
        maxValues: [1e4, 1e4, 1e2, 7],
      });
    } catch {
      return undefined; // a singular system of normal equations
    }
    if (!Number.isFinite(found.parameterError)) return undefined;
    const settled = error - found.parameterError <= 1e-7 * found.parameterError + 1e-9 * x.length;
    parameters = found.parameterValues;
    error = found.parameterError;
    if (settled) return { parameters, error, settled };
  }
  return { parameters, error, settled: false };
}

function fitLine(predicted: Scores, mos: Scores, reason: string): FittedCurve {
  const { xx, xy, meanX, meanY } = moments(predicted, mos);
  const gain = xx === 0 ? 0 : xy / xx;
  const offset = meanY - gain * meanX;
  return { curve: "linear", parameters: [gain, offset], reason, map: (score) => gain * score + offset };
}

/**
 * PLCC and RMSE after the fitted curve. The fit is made on the same pictures, as the field does; state the curve with
 * the number. A falling relation is fitted as well as a rising one, so PLCC here is never negative: read the sign from
 * `plcc` or `srcc`.
 * @returns plcc in [0, 1], NaN when either list is constant; rmse in MOS units
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 */
export function plccFitted(predicted: Scores, mos: Scores): FittedPlcc {
  const fitted = fitCurve(predicted, mos);
  const mapped = Float64Array.from({ length: mos.length }, (_, i) => fitted.map(predicted[i]!));
  const undefinedPlcc = isConstant(predicted) || isConstant(mos);
  return { ...fitted, plcc: undefinedPlcc ? Number.NaN : correlation(mapped, mos), rmse: rmse(mapped, mos) };
}

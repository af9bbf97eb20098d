import { type FittedCurve, plccFitted } from "./curve.ts";
import { mae, plcc, rmse, slope } from "./linear.ts";
import { checkPairs, type Scores } from "./pairs.ts";
import { krcc, srcc } from "./rank.ts";

/** All agreement measures of one set of predictions. Correlations: higher is better. Errors: MOS units, lower is better. */
export interface Evaluation {
  /** Number of pictures. */
  readonly n: number;
  readonly srcc: number;
  readonly krcc: number;
  /** Of the raw predictions. */
  readonly plcc: number;
  /** After the curve named in `curve`, fitted on these pictures. */
  readonly plccFitted: number;
  /** Of the raw predictions. */
  readonly rmse: number;
  /** After the curve named in `curve`. */
  readonly rmseFitted: number;
  readonly mae: number;
  /** Least-squares slope of predicted on true; 1 keeps the scale. */
  readonly slope: number;
  readonly curve: FittedCurve["curve"];
  /** Why the curve is not the logistic, when it is not. */
  readonly curveReason?: string;
}

/**
 * Compares predictions with true scores by every measure the field reports.
 * @param predicted one score per picture, on the scale of `mos` for rmse, mae and slope to mean something
 * @param mos mean opinion scores, same order
 * @returns correlations are NaN where undefined (constant lists), and so is the slope when `mos` is constant
 * @throws MetricError on different lengths, fewer than 2 pictures or non-finite scores
 */
export function evaluate(predicted: Scores, mos: Scores): Evaluation {
  checkPairs(predicted, mos, 2);
  const fitted = plccFitted(predicted, mos);
  return {
    n: mos.length,
    srcc: srcc(predicted, mos),
    krcc: krcc(predicted, mos),
    plcc: plcc(predicted, mos),
    plccFitted: fitted.plcc,
    rmse: rmse(predicted, mos),
    rmseFitted: fitted.rmse,
    mae: mae(predicted, mos),
    slope: slope(predicted, mos),
    curve: fitted.curve,
    ...(fitted.reason === undefined ? {} : { curveReason: fitted.reason }),
  };
}

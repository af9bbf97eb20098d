export { type BootstrapOptions, bootstrapInterval, type Interval } from "./bootstrap.ts";
export {
  type ClassEvaluation,
  type ClassFigures,
  type ConstantClass,
  constantClasses,
  evaluateClasses,
  mostFrequentClass,
  type UnbeatenConstant,
  unbeatenConstants,
} from "./classes.ts";
export { type FittedCurve, type FittedPlcc, fitCurve, plccFitted } from "./curve.ts";
export {
  cumulativeClassShare,
  cumulativeShare,
  emd,
  gradesOnScores,
  jensenShannon,
  normalOnScores,
  wasserstein,
} from "./distributions.ts";
export { type Evaluation, evaluate } from "./evaluate.ts";
export {
  type FullReference,
  type FullReferenceMeasure,
  fsim,
  fullReference,
  fullReferenceMeasures,
  gmsd,
  msSsim,
  psnr,
} from "./full-reference.ts";
export { type MeanInterval, meanInterval } from "./interval.ts";
export { mae, plcc, rmse, slope } from "./linear.ts";
export { type PairedDifference, type PairedScores, pairedDifference } from "./paired.ts";
export { MetricError, median, type Scores } from "./pairs.ts";
export { percentile, percentiles } from "./percentile.ts";
export { averageRanks, krcc, srcc } from "./rank.ts";
export {
  binnedErrors,
  type Coverage,
  coverage,
  type ErrorBin,
  type Reliability,
  reliability,
  type SpreadOfPrediction,
} from "./reliability.ts";
export { ssim } from "./ssim.ts";

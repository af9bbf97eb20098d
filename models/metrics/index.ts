export { bootstrapInterval, type Interval } from "./bootstrap.ts";
export { type FittedCurve, type FittedPlcc, fitCurve, plccFitted } from "./curve.ts";
export { type Evaluation, evaluate } from "./evaluate.ts";
export { mae, plcc, rmse, slope } from "./linear.ts";
export { MetricError, type Scores } from "./pairs.ts";
export { averageRanks, krcc, srcc } from "./rank.ts";

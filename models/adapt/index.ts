export {
  type Adaptation,
  type AdaptOptions,
  type AdaptReport,
  adapt,
  type PersonalRating,
  type Verdict,
} from "./adapt.ts";
export { AdaptError } from "./adapt-error.ts";
export type { Compared } from "./compare.ts";
export type { LearningCurve } from "./learning-curve.ts";

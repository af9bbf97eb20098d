export { brisque, brisqueFeatures } from "./brisque.ts";
export { type Copies, type CopyOptions, type CopyPair, copyPairs } from "./copies.ts";
export { type MadeParameters, makeBrisqueParameters, makeNiqeParameters } from "./make-parameters.ts";
export { type MeasuredCopy, type MeasureOptions, measureCopies } from "./measure-copies.ts";
export { niqe } from "./niqe.ts";
export {
  type BrisqueParameters,
  type NiqeParameters,
  readBrisqueParameters,
  readNiqeParameters,
} from "./parameters.ts";
export {
  type ClassicConditions,
  type ClassicMethod,
  type ClassicOptions,
  type ClassicScale,
  type ClassicScored,
  type ClassicScorer,
  classicMethods,
  classicScores,
  openClassicScorer,
} from "./scorer.ts";

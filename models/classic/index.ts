export { brisque, brisqueFeatures } from "./brisque.ts";
export { type MadeParameters, makeBrisqueParameters, makeNiqeParameters } from "./make-parameters.ts";
export { niqe } from "./niqe.ts";
export {
  type BrisqueParameters,
  type NiqeParameters,
  readBrisqueParameters,
  readNiqeParameters,
} from "./parameters.ts";
export {
  type ClassicMethod,
  type ClassicOptions,
  type ClassicScale,
  type ClassicScored,
  type ClassicScorer,
  classicMethods,
  openClassicScorer,
} from "./scorer.ts";

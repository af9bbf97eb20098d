export {
  Backbone,
  type BackboneName,
  type BackboneOptions,
  backboneNames,
  createBackbone,
  type InitReport,
  MobileNetV2,
  type MobileNetV2Options,
  type Normalisation,
  ResNet,
  type ResNetOptions,
  Vgg16,
  type VggOptions,
  ViT,
  type VitOptions,
} from "./backbones/index.ts";
export { LABEL_MODES, type LabelMode } from "./cpl/labels.ts";
export { CplModel, type ModelCard, openModel, saveModel } from "./cpl/model.ts";
export { type CplOptions, type CplOptionsInput, cplOptions, OptionError } from "./cpl/options.ts";
export type { Score } from "./cpl/predict.ts";
export { resumeCpl, trainCpl } from "./cpl/train.ts";
export {
  type RatedRow,
  type TrainingData,
  TrainingError,
  type TrainingHooks,
  TrainingInterrupted,
  type TrainingResult,
} from "./cpl/training.ts";
export * from "./data/index.ts";
export * from "./metrics/index.ts";
export {
  openScorer,
  type PictureScore,
  type ScoredPicture,
  type ScoreOptions,
  type Scorer,
  ScorerClosedError,
  type ScorerOptions,
} from "./scorer.ts";
export type { AdapterOptions } from "./scoring/device.ts";
export type { DrawOptions, QualityMap } from "./scoring/explain.ts";
export type { BatchReport } from "./scoring/network.ts";
export type { PictureSource } from "./scoring/picture-source.ts";

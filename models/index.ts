export * from "./adapt/index.ts";
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
export * from "./classic/index.ts";
export * from "./culling/index.ts";
export * from "./data/index.ts";
export { LABEL_MODES, type LabelMode } from "./labels/labels.ts";
export {
  loadPseudoLabels,
  type PseudoLabelledRow,
  type PseudoLabelOptions,
  type PseudoLabels,
} from "./labels/pseudo-label-file.ts";
export type { Score } from "./labels/score.ts";
export { resumeCpl, trainCpl } from "./methods/cpl/index.ts";
export { type CplOptions, type CplOptionsInput, cplOptions } from "./methods/cpl/options.ts";
export * from "./methods/index.ts";
export * from "./metrics/index.ts";
export type { HeadName } from "./networks/heads.ts";
export { type ModelCard, openModel, QualityNetwork, saveModel } from "./networks/model.ts";
export { OptionError } from "./options.ts";
export type { AdapterOptions } from "./scoring/device.ts";
export type { QualityMap } from "./scoring/explain.ts";
export type { DrawOptions } from "./scoring/explain-drawing.ts";
export {
  type LabelCounts,
  LabelFileError,
  type LabelOptions,
  labelPool,
  type PoolPicture,
} from "./scoring/label-file.ts";
export type { BatchReport } from "./scoring/network.ts";
export type { PictureSource } from "./scoring/picture-source.ts";
export { parseQuery, QueryError, type QueryFields, queryFields } from "./scoring/query.ts";
export {
  openScorer,
  type PictureScore,
  type ScoredPicture,
  type ScoreOptions,
  type Scorer,
  ScorerClosedError,
  type ScorerOptions,
} from "./scoring/scorer.ts";
export { findThreshold, type Threshold, type ThresholdOptions } from "./scoring/threshold.ts";
export * from "./sidecars/index.ts";
export * from "./store/index.ts";
export { runRecord, writeRun } from "./training/finish.ts";
export type { Method } from "./training/method.ts";
export type { RunRecord } from "./training/run-record.ts";
export { resumeTraining, startTraining } from "./training/train.ts";
export {
  type RatedRow,
  type TrainingData,
  TrainingError,
  type TrainingHooks,
  TrainingInterrupted,
  type TrainingResult,
} from "./training/training.ts";

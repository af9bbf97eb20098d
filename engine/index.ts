export { backward, isRecording, withoutGradients } from "./autograd.ts";
export { Device, type DeviceInfo, type OpenOptions, openDevice } from "./device/device.ts";
export { DeviceLostError, GpuError, NoAdapterError, OutOfMemoryError } from "./device/errors.ts";
export type { DeviceSource } from "./device/source.ts";
export { type AffinityKind, affinity } from "./graph/affinity.ts";
export { type Neighbours, nearestNeighbours } from "./graph/neighbours.ts";
export { type Propagation, propagate } from "./graph/propagate.ts";
export { type Solution, solve } from "./graph/solve.ts";
export { type SparseMatrix, symmetricGraph } from "./graph/sparse.ts";
export { largestFit } from "./memory/largest-fit.ts";
export type { OwnerUse } from "./memory/ledger.ts";
export type { MemoryUse } from "./memory/pool.ts";
export { type MemoryReport, memorySummary, memoryTable } from "./memory/report.ts";
export { BatchNorm, Convolution, Linear } from "./nn/layers.ts";
export { type Layer, loadTensors, type NamedTensor, storable, type WeightKind } from "./nn/named.ts";
export { type NumberCount, type NumberFault, NumericError } from "./numbers.ts";
export { gelu, hardswish, pow, relu6, sigmoid, silu, tanh } from "./ops/activation.ts";
export { add, divide, multiply, subtract } from "./ops/broadcast.ts";
export { type ConvOptions, conv2d } from "./ops/conv.ts";
export {
  type CutoutWindow,
  cutout,
  cutoutWindows,
  type DropoutOptions,
  dropout,
  randomWords,
  stochasticDepth,
} from "./ops/dropout.ts";
export { cast, exp, log, relu, scale, sqrt, square } from "./ops/elementwise.ts";
export { argmax, cumulativeSum, gatherRows, topK } from "./ops/gather.ts";
export {
  centerCrop,
  cropAndFlip,
  flipHorizontal,
  normalise,
  resize,
  stack,
  unpackRgb,
} from "./ops/image.ts";
export { concat, pad, permute, slice } from "./ops/join.ts";
export { layerNorm } from "./ops/layer-norm.ts";
export {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "./ops/losses.ts";
export { linear, matmul } from "./ops/matmul.ts";
export { type BatchNormOptions, type BatchNormState, batchNorm } from "./ops/norm.ts";
export { cosineSimilarity, l2Normalise } from "./ops/normalise-l2.ts";
export { averagePool2d, globalAveragePool, maxPool2d } from "./ops/pool.ts";
export { mean, sum } from "./ops/reduce.ts";
export { reshape, transpose } from "./ops/shape.ts";
export { logSoftmax, softmax } from "./ops/softmax.ts";
export { accumulateGradients, type MicroBatch, microBatches } from "./optim/accumulate.ts";
export { type AverageOptions, WeightAverage } from "./optim/average.ts";
export type { GradientReport, GradientState, LossScaleOptions } from "./optim/gradient-state.ts";
export { type GroupOptions, parameterGroups } from "./optim/groups.ts";
export { Optimiser, type OptimiserOptions, type ParameterGroup } from "./optim/optimiser.ts";
export {
  constant,
  cosine,
  cosineRestarts,
  exponential,
  linearWarmup,
  polynomial,
  type Schedule,
  sequential,
  stepDecay,
  type Warmup,
  withWarmup,
} from "./optim/schedule.ts";
export { Random } from "./random.ts";
export { type DataType, type Shape, ShapeError, Tensor } from "./tensor.ts";
export { openSafetensors, SafetensorsError, writeSafetensors } from "./weights/safetensors.ts";

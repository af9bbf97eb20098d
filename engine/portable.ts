export { backward, isRecording, withoutGradients } from "./autograd.ts";
export { Device } from "./device/device.ts";
export { DeviceLostError, GpuError, NoAdapterError, OutOfMemoryError } from "./device/errors.ts";
export type { MatrixConfig, MatrixUnit, SubgroupMatrixOptions } from "./device/matrix-units.ts";
export { openDevice } from "./device/open.ts";
export type { DeviceInfo, OpenOptions } from "./device/options.ts";
export { type DeviceLease, SharedDevice } from "./device/shared.ts";
export type { DeviceSource } from "./device/source.ts";
export { type AffinityKind, type AffinityOptions, affinity } from "./graph/affinity.ts";
export { type Metric, type NeighbourOptions, type Neighbours, nearestNeighbours } from "./graph/neighbours.ts";
export { type KnownLabels, type PropagateOptions, type Propagation, propagate } from "./graph/propagate.ts";
export { type Convergence, type Solution, SolveError, type SolveOptions, solve } from "./graph/solve.ts";
export { type SparseMatrix, symmetricGraph } from "./graph/sparse.ts";
export { Plan } from "./kernel/plan.ts";
export { largestFit } from "./memory/largest-fit.ts";
export type { OwnerUse } from "./memory/ledger.ts";
export type { MemoryUse } from "./memory/pool.ts";
export { type MemoryReport, memorySummary, memoryTable } from "./memory/report.ts";
export { BatchNorm, Convolution, type ConvolutionOptions, Linear } from "./nn/layers.ts";
export { drawn, type Layer, loadTensors, type NamedTensor, parameter, storable, type WeightKind } from "./nn/named.ts";
export { GroupNorm, InstanceNorm, LayerNorm, RmsNorm } from "./nn/norms.ts";
export { type NumberCount, type NumberFault, NumericError } from "./number-error.ts";
export { type MissingOperator, OnnxError, UnsupportedError } from "./onnx/errors.ts";
export { exportOnnx, type TracedWork } from "./onnx/export.ts";
export { importOnnx } from "./onnx/import.ts";
export type { OnnxArray, OnnxInput, OnnxModel } from "./onnx/model.ts";
export {
  celu,
  elu,
  gelu,
  hardSigmoid,
  hardswish,
  leakyRelu,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softplus,
  softsign,
} from "./ops/activations.ts";
export { adaptiveAveragePool2d } from "./ops/adaptive-pool.ts";
export { add, atLeast, divide, fmod, maximum, minimum, multiply, pow, remainder, subtract } from "./ops/arithmetic.ts";
export { type AttentionOptions, attention, selfAttention } from "./ops/attention.ts";
export type { Axes, ReduceOptions } from "./ops/axes.ts";
export { type BilinearPoolOptions, bilinearPool } from "./ops/bilinear.ts";
export type { Operand } from "./ops/broadcast.ts";
export { cast } from "./ops/cast.ts";
export {
  equal,
  greater,
  greaterOrEqual,
  isInfinite,
  isNan,
  less,
  lessOrEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  notEqual,
  where,
} from "./ops/compare.ts";
export { batchedMatmul } from "./ops/contraction/batched.ts";
export { conv2d } from "./ops/contraction/conv.ts";
export { type ConvNormOptions, convNorm } from "./ops/contraction/conv-norm.ts";
export type { ConvOptions } from "./ops/contraction/conv-shape.ts";
export {
  type Conv1dOptions,
  type ConvTransposeOptions,
  conv1d,
  convTranspose2d,
} from "./ops/contraction/conv-transpose.ts";
export { einsum } from "./ops/contraction/einsum.ts";
export { linear, matmul } from "./ops/contraction/matmul.ts";
export { linearPerSample, pointwisePerSample } from "./ops/contraction/per-sample.ts";
export { type CumulativeSumOptions, cumulativeSum } from "./ops/cumulative-sum.ts";
export {
  type BatchPart,
  type CutoutWindow,
  cutout,
  cutoutWindows,
  type DropoutOptions,
  dropout,
  dropout2d,
  type RandomWords,
  randomWords,
  type StochasticDepthOptions,
  stochasticDepth,
} from "./ops/dropout.ts";
export { amax, amin, logSumExp } from "./ops/extremes.ts";
export { gatherRows } from "./ops/gather.ts";
export { gather, gatherElements, gatherNd } from "./ops/gather-axis.ts";
export { concat, permute } from "./ops/join.ts";
export { groupNorm, instanceNorm, layerNorm, rmsNorm } from "./ops/layer-norm.ts";
export {
  earthMoversDistance,
  expectationL1,
  klDivergence,
  softCrossEntropy,
  weightedMean,
} from "./ops/losses.ts";
export { type BatchNormOptions, type BatchNormState, batchNorm } from "./ops/norm.ts";
export { cosineSimilarity, l2Normalise } from "./ops/normalise-l2.ts";
export { type BicubicOptions, resizeBicubic } from "./ops/pictures/bicubic.ts";
export {
  type CropWindow,
  centerCrop,
  cropAndFlip,
  flipHorizontal,
  normalise,
  type ResizeOptions,
  resize,
  stack,
  unpackRgb,
} from "./ops/pictures/image.ts";
export {
  type Coordinates,
  type InterpolateOptions,
  interpolate,
  type NearestRounding,
} from "./ops/pictures/interpolate.ts";
export {
  type AveragePoolOptions,
  averagePool2d,
  globalAveragePool,
  maxPool2d,
  type PoolOptions,
} from "./ops/pool.ts";
export { product } from "./ops/product.ts";
export {
  broadcastTo,
  type DepthOptions,
  depthToSpace,
  flip,
  type PadMode,
  pad,
  repeat,
  slice,
  spaceToDepth,
  tile,
} from "./ops/rearrange.ts";
export { mean, sum } from "./ops/reduce.ts";
export { type ScatterReduction, scatterElements, scatterNd } from "./ops/scatter.ts";
export { reshape, transpose } from "./ops/shape.ts";
export { logSoftmax, softmax } from "./ops/softmax.ts";
export { oneHot, type SparseCrossEntropyOptions, sparseCrossEntropy } from "./ops/sparse-loss.ts";
export { type ArgmaxOptions, argmax, argmin, type TopKOptions, topK } from "./ops/top-k.ts";
export {
  abs,
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  ceil,
  clamp,
  cos,
  cosh,
  erf,
  exp,
  expm1,
  floor,
  log,
  log1p,
  negate,
  normalCdf,
  reciprocal,
  round,
  scale,
  sign,
  signedSqrt,
  sin,
  sinh,
  sqrt,
  square,
  tan,
  tanh,
} from "./ops/unary.ts";
export { standardDeviation, type VarianceOptions, variance } from "./ops/variance.ts";
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
  quarterCosine,
  type Schedule,
  sequential,
  stepDecay,
  timeDecay,
  type Warmup,
  withWarmup,
} from "./optim/schedule.ts";
export {
  type CheckOperationOptions,
  checkOperation,
  type GoldenValues,
  type OperationFinding,
  type OperationReport,
} from "./own/check.ts";
export {
  defineOperation,
  type OperationDefinition,
  type OwnCall,
  type OwnOperation,
} from "./own/define.ts";
export type { Phase } from "./profile/labels.ts";
export type { KernelProfile, Mark, Profile } from "./profile/profile.ts";
export { Random } from "./random.ts";
export { type DataType, type Shape, ShapeError, Tensor } from "./tensor.ts";
export { type BindingRoof, bindingRoof, type Cost } from "./tune/binding-roof.ts";
export type { Measured } from "./tune/measured.ts";
export { type StoredTensor, type TensorInfo, toFloat32, WeightsError, type WeightsFile } from "./weights/stored.ts";

import type { Device } from "../../engine/device/device.ts";
import * as engine from "../../engine/index.ts";
import * as activations from "../../engine/ops/activations.ts";
import * as unary from "../../engine/ops/unary.ts";

/** One tensor of a call. */
interface Operand {
  readonly shape: readonly number[];
  readonly type?: engine.DataType;
  /** Every type is taken. */
  readonly any?: boolean;
  /** A number may stand for it. */
  readonly number?: boolean;
  readonly optional?: boolean;
}

/** A call that works with tensors of zeros of these shapes. */
interface Operation {
  readonly operands: readonly Operand[];
  readonly call: (tensors: readonly engine.Tensor[], device: Device) => unknown;
  /** It waits, and frees what it makes. */
  readonly waits?: boolean;
}

/** Dispatches that are recorded on some devices. */
export class DispatchCounter {
  readonly #devices: readonly Device[];
  #from = 0;

  constructor(...devices: readonly Device[]) {
    this.#devices = devices;
  }

  start(): void {
    this.#from = this.#total();
  }

  count(): number {
    return this.#total() - this.#from;
  }

  #total(): number {
    return this.#devices.reduce((total, device) => total + device.stream.dispatches, 0);
  }
}

const of = (...shapes: readonly (readonly number[])[]): Operand[] => shapes.map((shape) => ({ shape }));
const moved = (...shape: readonly number[]): Operand => ({ shape, any: true });
const orNumber = (...shapes: readonly (readonly number[])[]): Operand[] =>
  shapes.map((shape) => ({ shape, number: true }));
const indices = (...shape: readonly number[]): Operand => ({ shape, type: "u32" });

function plain(work: (...tensors: engine.Tensor[]) => unknown, ...operands: readonly Operand[]): Operation {
  return { operands, call: (tensors) => work(...tensors) };
}

const map = [1, 4, 4, 4];
const neighbours = (metric: engine.Metric) => (list: engine.Tensor, values: engine.Tensor) =>
  engine.affinity({ metric, indices: list, values }, { kind: "rbf" });
const named = (name: string, tensor: engine.Tensor): engine.NamedTensor => ({
  name,
  tensor,
  kind: "vector",
  role: "parameter",
});
const sparse = ([rowStart, columns, values]: readonly engine.Tensor[]) =>
  ({ size: 3, rowStart, columns, values, [Symbol.dispose]: () => {} }) as engine.SparseMatrix;
const matrix = [indices(4), indices(6), { shape: [6] }];
const disposed = async (work: Promise<{ [name: string]: unknown }>) => {
  for (const value of Object.values(await work)) if (value instanceof engine.Tensor) value.dispose();
};

/** Exports that are functions of one tensor, element by element, and need no options. */
export const elementFunctions = Object.entries({ ...unary, ...activations })
  .filter(([name, work]) => name in engine && work.length === 1)
  .map(([name, work]) => [name, work as (x: engine.Tensor) => engine.Tensor] as const);

/** Every export of the engine that takes tensors, by its name. */
export const operations: Readonly<Record<string, Operation>> = {
  ...Object.fromEntries(elementFunctions.map(([name, work]) => [name, plain((x) => work(x!), ...of([4]))])),
  LayerNorm: {
    operands: of([2, 4]),
    call: ([x], device) => new engine.LayerNorm(device, 4).forward(x!),
  },
  RmsNorm: { operands: of([2, 4]), call: ([x], device) => new engine.RmsNorm(device, 4).forward(x!) },
  GroupNorm: { operands: of([2, 3, 4]), call: ([x], device) => new engine.GroupNorm(device, 2, 4).forward(x!) },
  InstanceNorm: { operands: of([2, 3, 4]), call: ([x], device) => new engine.InstanceNorm(device, 4).forward(x!) },
  BatchNorm: { operands: of([2, 4]), call: ([x], device) => new engine.BatchNorm(device, 4).forward(x!, true) },
  Convolution: {
    operands: of(map),
    call: ([x], device) =>
      new engine.Convolution(device, undefined, { in: 4, out: 8 }, { kernel: 3, bias: true }).forward(x!),
  },
  Linear: {
    operands: of([2, 4]),
    call: ([x], device) => new engine.Linear(device, undefined, { in: 4, out: 3 }).forward(x!),
  },
  Optimiser: plain(
    (a, b) =>
      new engine.Optimiser([{ parameters: [named("a", a!), named("b", b!)], rate: 1, decay: 0 }], { kind: "sgd" }),
    ...of([4], [4]),
  ),
  WeightAverage: plain(
    (a, b) => new engine.WeightAverage([named("a", a!), named("b", b!)], { decay: 0.5 }),
    ...of([4], [4]),
  ),
  accumulateGradients: {
    operands: of([1]),
    call: ([x], device) => {
      if (x instanceof engine.Tensor && x.dtype === "f32" && !x.disposed) x.requiresGradient = true;
      return engine.accumulateGradients(device, engine.microBatches(2, 2), () => engine.scale(x!, 2));
    },
  },
  adaptiveAveragePool2d: plain((x) => engine.adaptiveAveragePool2d(x!, { height: 2, width: 3 }), ...of(map)),
  add: plain(engine.add, ...orNumber([2, 4], [2, 4])),
  affinity: plain(neighbours("euclidean"), indices(3, 2), { shape: [3, 2] }),
  amax: plain((x) => engine.amax(x!), moved(4)),
  logSumExp: plain((x) => engine.logSumExp(x!), ...of([4])),
  amin: plain((x) => engine.amin(x!), moved(4)),
  argmax: plain((x) => engine.argmax(x!), ...of([2, 4])),
  argmin: plain((x) => engine.argmin(x!), ...of([2, 4])),
  attention: plain((q, k, v) => engine.attention(q!, k!, v!), ...of([1, 2, 1, 4], [1, 3, 1, 4], [1, 3, 1, 4])),
  atLeast: plain(engine.atLeast, ...orNumber([2, 4], [4])),
  divide: plain(engine.divide, ...orNumber([2, 4], [4])),
  equal: plain(engine.equal, ...orNumber([2, 4], [4])),
  fmod: plain(engine.fmod, ...orNumber([2, 4], [4])),
  greater: plain(engine.greater, ...orNumber([2, 4], [4])),
  greaterOrEqual: plain(engine.greaterOrEqual, ...orNumber([2, 4], [4])),
  less: plain(engine.less, ...orNumber([2, 4], [4])),
  lessOrEqual: plain(engine.lessOrEqual, ...orNumber([2, 4], [4])),
  logicalAnd: plain(engine.logicalAnd, ...orNumber([2, 4], [4])),
  logicalOr: plain(engine.logicalOr, ...orNumber([2, 4], [4])),
  logicalXor: plain(engine.logicalXor, ...orNumber([2, 4], [4])),
  multiply: plain(engine.multiply, ...orNumber([2, 4], [4])),
  notEqual: plain(engine.notEqual, ...orNumber([2, 4], [4])),
  maximum: plain(engine.maximum, ...orNumber([2, 4], [4])),
  minimum: plain(engine.minimum, ...orNumber([2, 4], [4])),
  remainder: plain(engine.remainder, ...orNumber([2, 4], [4])),
  subtract: plain(engine.subtract, ...orNumber([2, 4], [4])),
  broadcastTo: plain((x) => engine.broadcastTo(x!, [3, 4]), moved(4)),
  conv1d: plain((x, weight) => engine.conv1d(x!, weight!), ...of([1, 5, 4], [3, 4, 8])),
  convTranspose2d: plain((x, weight) => engine.convTranspose2d(x!, weight!), ...of(map, [3, 3, 8, 4])),
  depthToSpace: plain((x) => engine.depthToSpace(x!, 2), moved(...map)),
  dropout2d: plain((x) => engine.dropout2d(x!, 0.5, { seed: 1 }), ...of(map)),
  flip: plain((x) => engine.flip(x!), moved(4)),
  gather: plain((x, list) => engine.gather(x!, list!, 1), moved(2, 4), indices(3)),
  gatherElements: plain((x, list) => engine.gatherElements(x!, list!), moved(2, 4), indices(3, 4)),
  gatherNd: plain((x, list) => engine.gatherNd(x!, list!), moved(2, 4), indices(3, 1)),
  interpolate: plain((x) => engine.interpolate(x!, { height: 2, width: 3, filter: "nearest" }), ...of(map)),
  oneHot: plain((list) => engine.oneHot(list!, 3), indices(4)),
  repeat: plain((x) => engine.repeat(x!, 2, 0), moved(4)),
  scatterElements: plain(
    (x, list, updates) => engine.scatterElements(x!, list!, updates!, 0, "add"),
    { shape: [2, 4] },
    indices(3, 4),
    { shape: [3, 4] },
  ),
  scatterNd: plain(
    (x, list, updates) => engine.scatterNd(x!, list!, updates!, "add"),
    { shape: [2, 4] },
    indices(3, 1),
    { shape: [3, 4] },
  ),
  spaceToDepth: plain((x) => engine.spaceToDepth(x!, 2), moved(...map)),
  sparseCrossEntropy: plain((x, labels) => engine.sparseCrossEntropy(x!, labels!), { shape: [3, 4] }, indices(3)),
  tile: plain((x) => engine.tile(x!, [2]), moved(4)),
  einsum: plain((a, b) => engine.einsum("ij,jk->ik", a!, b!), ...of([2, 3], [3, 4])),
  isInfinite: plain(engine.isInfinite, ...of([4])),
  isNan: plain(engine.isNan, ...of([4])),
  logicalNot: plain(engine.logicalNot, moved(4)),
  averagePool2d: plain((x) => engine.averagePool2d(x!, { kernel: 2 }), ...of(map)),
  backward: plain(
    (weight, seed) => {
      if (weight instanceof engine.Tensor) weight.requiresGradient = true;
      engine.backward(engine.reshape(weight!, [1]), seed);
    },
    { shape: [1] },
    { shape: [1], optional: true },
  ),
  batchNorm: plain(
    (x, scale, shift, runningMean, runningVariance, residual) =>
      engine.batchNorm(
        x!,
        { scale: scale!, shift: shift!, runningMean: runningMean!, runningVariance: runningVariance! },
        { training: true, ...(residual !== undefined && { residual }) },
      ),
    ...of([2, 4], [4], [4], [4], [4]),
  ),
  batchedMatmul: plain(engine.batchedMatmul, ...of([2, 3, 4], [2, 4, 5])),
  bilinearPool: plain((x, y) => engine.bilinearPool(x!, y!), ...of(map, map)),
  cast: plain((x) => engine.cast(x!, "f32"), moved(4)),
  centerCrop: plain((x) => engine.centerCrop(x!, 2, 2), ...of(map)),
  clamp: plain((x) => engine.clamp(x!, 0, 1), ...of([4])),
  concat: plain((a, b) => engine.concat([a!, b!]), ...of([4], [4])),
  conv2d: plain((x, weight) => engine.conv2d(x!, weight!, { padding: 1 }), ...of(map, [3, 3, 4, 8])),
  convNorm: plain(
    (x, weight, scale, shift, runningMean, runningVariance) =>
      engine.convNorm(
        x!,
        weight!,
        { scale: scale!, shift: shift!, runningMean: runningMean!, runningVariance: runningVariance! },
        { training: false },
      ),
    ...of(map, [3, 3, 4, 8], [8], [8], [8], [8]),
  ),
  cosineSimilarity: plain((a, b) => engine.cosineSimilarity(a!, b!), ...of([2, 4], [2, 4])),
  cropAndFlip: plain((x) => engine.cropAndFlip(x!, [{ top: 0, left: 0 }], 2, 2), ...of(map)),
  cumulativeSum: plain((x) => engine.cumulativeSum(x!), ...of([2, 4])),
  cutout: plain((x) => engine.cutout(x!, [{ top: 0, left: 0, height: 1, width: 1 }]), ...of(map)),
  dropout: plain((x) => engine.dropout(x!, 0.5, { seed: 1 }), ...of([4])),
  earthMoversDistance: plain(engine.earthMoversDistance, ...of([2, 4], [2, 4])),
  expectationL1: plain(engine.expectationL1, ...of([2, 4], [2], [4])),
  flipHorizontal: plain((x) => engine.flipHorizontal(x!), ...of(map)),
  gatherRows: plain(engine.gatherRows, moved(3, 4), indices(2)),
  globalAveragePool: plain(engine.globalAveragePool, ...of(map)),
  groupNorm: plain((x, scale, shift) => engine.groupNorm(x!, 2, scale!, shift!), ...of(map, [4], [4])),
  instanceNorm: plain((x, scale, shift) => engine.instanceNorm(x!, scale!, shift!), ...of(map, [4], [4])),
  klDivergence: plain(engine.klDivergence, ...of([2, 4], [2, 4])),
  l2Normalise: plain((x) => engine.l2Normalise(x!), ...of([2, 4])),
  layerNorm: plain((x, scale, shift) => engine.layerNorm(x!, scale!, shift!), ...of([2, 4], [4], [4])),
  linear: plain((x, weight) => engine.linear(x!, weight!), ...of([2, 4], [4, 3])),
  linearPerSample: plain((x, weight) => engine.linearPerSample(x!, weight!), ...of([2, 4], [2, 4, 3])),
  loadTensors: plain(
    (x) =>
      engine.loadTensors(
        {
          path: "file",
          tensors: new Map([["x", { name: "x", dtype: "F32", shape: [4] }]]),
          read: async () => ({ name: "x", dtype: "F32", shape: [4], bytes: new Uint8Array(16) }),
          async [Symbol.asyncDispose]() {},
        } as unknown as engine.WeightsFile,
        [named("x", x!)],
      ),
    ...of([4]),
  ),
  logSoftmax: plain((x) => engine.logSoftmax(x!), ...of([2, 4])),
  matmul: plain(engine.matmul, ...of([2, 4], [4, 3])),
  maxPool2d: plain((x) => engine.maxPool2d(x!, { kernel: 2 }), ...of(map)),
  mean: plain((x) => engine.mean(x!), ...of([4])),
  nearestNeighbours: plain((x) => engine.nearestNeighbours(x!, { k: 2 }), ...of([6, 4])),
  normalise: plain((x) => engine.normalise(x!, [0, 0, 0, 0], [1, 1, 1, 1]), ...of(map)),
  pad: plain((x) => engine.pad(x!, [1], [1]), moved(4)),
  parameterGroups: plain(
    (x) => new engine.Optimiser(engine.parameterGroups([named("x", x!)], { rate: 1 }), { kind: "adam" }),
    ...of([4]),
  ),
  permute: plain((x) => engine.permute(x!, [1, 0]), moved(2, 4)),
  pointwisePerSample: plain((x, weight) => engine.pointwisePerSample(x!, weight!), ...of(map, [1, 4, 3])),
  pow: plain((x) => engine.pow(x!, 2), ...of([4])),
  product: plain((x) => engine.product(x!), moved(4)),
  propagate: {
    waits: true,
    operands: [...matrix, { shape: [1, 2] }],
    call: ([rowStart, columns, values, targets]) =>
      disposed(
        engine.propagate(
          sparse([rowStart!, columns!, values!]),
          { rows: [0], targets: targets! },
          { gamma: 0.5 },
        ) as never,
      ),
  },
  reshape: plain((x) => engine.reshape(x!, [2, 2]), moved(4)),
  resize: plain((x) => engine.resize(x!, { height: 2, width: 3 }), ...of(map)),
  resizeBicubic: plain((x) => engine.resizeBicubic(x!, { height: 2, width: 3 }), ...of(map)),
  rmsNorm: plain((x, scale) => engine.rmsNorm(x!, scale!), ...of([2, 4], [4])),
  scale: plain((x) => engine.scale(x!, 2), ...of([4])),
  selfAttention: plain((x) => engine.selfAttention(x!), ...of([1, 2, 3, 1, 4])),
  slice: plain((x) => engine.slice(x!, [1], [3]), moved(4)),
  softCrossEntropy: plain(engine.softCrossEntropy, ...of([2, 4], [2, 4])),
  softmax: plain((x) => engine.softmax(x!), ...of([2, 4])),
  solve: {
    waits: true,
    operands: [...matrix, { shape: [3, 2] }],
    call: ([rowStart, columns, values, y]) =>
      disposed(engine.solve(sparse([rowStart!, columns!, values!]), y!, { gamma: 0.5 }) as never),
  },
  stack: plain((a, b) => engine.stack([a!, b!]), ...of(map, map)),
  standardDeviation: plain((x) => engine.standardDeviation(x!), ...of([4])),
  stochasticDepth: plain((x) => engine.stochasticDepth(x!, 0.5, { seed: 1 }), ...of([2, 4])),
  storable: plain((x) => engine.storable([named("x", x!)]), ...of([4])),
  sum: plain((x) => engine.sum(x!), moved(4)),
  symmetricGraph: plain(engine.symmetricGraph, indices(3, 2), { shape: [3, 2] }),
  topK: plain((x) => engine.topK(x!, 2), ...of([2, 4])),
  transpose: plain(engine.transpose, moved(2, 4)),
  variance: plain((x) => engine.variance(x!), ...of([4])),
  where: plain(engine.where, moved(2, 4), ...orNumber([4], [2, 1])),
  weightedMean: plain((rows, weights) => engine.weightedMean(rows!, weights!), ...of([4], [4])),
};

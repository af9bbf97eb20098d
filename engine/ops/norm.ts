import { type Checks, expectArgument, expectOptions, flag, notNegative, object, share } from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { gatherTensors, sumTensor } from "../ranks/exchange-tensors.ts";
import type { RankRows } from "../ranks/ranks.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { expectOperands, expectSameShape, operand } from "./operands.ts";
import { partLength, partSums } from "./reduce.ts";

/** Per-channel tensors of a batch normalisation, each [C]. */
export interface BatchNormState {
  readonly scale: Tensor;
  readonly shift: Tensor;
  /** Updated in training. */
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
}

export interface BatchNormOptions {
  /** Normalise with the statistics of this batch and update the running ones; otherwise use the running ones. */
  readonly training: boolean;
  readonly epsilon?: number;
  /** Weight of the new batch in the running statistics. */
  readonly momentum?: number;
  /** Added after the normalisation. */
  readonly residual?: Tensor;
  /** Ends with max(·, 0). */
  readonly relu?: boolean;
}

/** What the options of a batch normalisation may be. */
export const normChecks: Checks<BatchNormOptions> = {
  training: flag,
  epsilon: notNegative,
  momentum: share,
  residual: operand,
  relu: flag,
};

/** Rows that one invocation walks: long enough to load a channel's numbers rarely, short enough to fill the adapter. */
const block = 64;

/** How kernels see x: rows of channels, counted in vec4s where possible. */
function layout(x: Tensor) {
  const channels = x.shape.at(-1)!;
  const vector = channels % 4 === 0;
  return { channels, rows: x.size / channels, width: vector ? channels / 4 : channels, vector };
}

/**
 * Batch normalisation over all axes but the last (Ioffe & Szegedy 2015), with the addition and the ReLU that follow it
 * in residual networks: y = relu(scale · (x − mean)/√(variance + ε) + shift + residual). x: […, C].
 * The variance is the biased one; the running variance takes the unbiased one, as in PyTorch. While `device.normRows` is set, mean and
 * variance are those of the rows of all ranks.
 * @throws ShapeError when a per-channel tensor does not have C elements, or in training with a single row
 */
export function batchNorm(x: Tensor, state: BatchNormState, options: BatchNormOptions): Tensor {
  expectOptions("batchNorm", options, normChecks);
  expectState("batchNorm", state);
  const { training, epsilon = 1e-5, momentum = 0.1, residual, relu = false } = options;
  const { scale, runningMean } = state;
  expectOperands("batchNorm", residual ? { x, scale, runningMean, residual } : { x, scale, runningMean });
  const { device } = x;
  const { channels, rows } = layout(x);
  if (residual) expectSameShape("batchNorm residual", x, residual);
  // Their rows are as many times its own as the batch's, since each picture has as many.
  const all = training ? device.normRows : undefined;
  const factor = all ? rows / all.counts[all.ranks.rank]! : 0;
  const allRows = all ? all.counts.reduce((sum, count) => sum + count * factor, 0) : rows;
  if (training && allRows < 2)
    throw new ShapeError("batchNorm: one row has no variance; use a larger batch or evaluation mode");
  expectChannels(state, channels);
  const moments = training
    ? batchMoments(
        x,
        state,
        epsilon,
        momentum,
        all && { ranks: all.ranks, counts: all.counts.map((count) => count * factor) },
      )
    : runningMoments(device, state, channels, epsilon);
  const y = apply(x, moments, state, relu, residual);
  const inputs = [x, state.scale, state.shift, ...(residual ? [residual] : [])];
  // dshift = Σ dz    dscale = Σ dz·x̂    dx: see shaders/norm/gradient.wgsl    dresidual = dz    dz = dy where y > 0
  return record(["batchNorm", { state, options, epsilon }], inputs, y, (dy) => {
    const wantsSums = training || state.scale.tracked || state.shift.tracked;
    const { sums, dshift, dscale } = wantsSums ? gradientSums(x, dy, y, moments, relu) : {};
    if (all && sums) sumTensor(sums, all.ranks);
    const how = { training, relu, residual: !!residual, allRows };
    const { dx, dresidual } = gradient(x, dy, y, moments, sums, state.scale, how);
    sums?.dispose();
    return [dx, dscale, dshift, ...(residual ? [dresidual] : [])];
  });
}

/** @throws ShapeError when the tensors of a state are not all there, of one device and type */
export function expectState(operation: string, state: BatchNormState): void {
  expectArgument(operation, "the state", state, object);
  const { scale, shift, runningMean, runningVariance } = state;
  expectOperands(operation, { scale, shift, runningMean, runningVariance });
}

function expectChannels(state: BatchNormState, channels: number): void {
  for (const name of ["scale", "shift", "runningMean", "runningVariance"] as const) {
    const tensor = state[name];
    if (tensor.size !== channels)
      throw new ShapeError(`batchNorm: ${name} has ${tensor.size} elements for ${channels} channels`);
  }
}

/** @param all rows of x on each rank, when the moments are those of all of them */
function batchMoments(x: Tensor, state: BatchNormState, epsilon: number, momentum: number, all?: RankRows): Tensor {
  const { device } = x;
  const { channels, rows, width, vector } = layout(x);
  const ranges = rowRanges(device, rows, [channels]);
  const blocks = Tensor.empty(device, [ranges.reduce((n, { count }) => n + Math.ceil(count / block), 0), 2, channels]);
  let firstBlock = 0;
  for (const { start, count } of ranges) {
    device.kernels.run(
      "norm/moments",
      { BLOCK: block, VECTOR: vector, WORKGROUP: flatWorkgroup },
      { x: x.window(start * channels, count * channels), blocks: blocks.window() },
      { rows: count, channels: width, first_block: firstBlock },
      flatGrid(device, Math.ceil(count / block) * width),
      // x − shift, its sum, and the multiply-add of its square
      { flops: 4 * count * channels },
    );
    firstBlock += Math.ceil(count / block);
  }
  const moments = Tensor.empty(device, [2, channels]);
  const running = { running_mean: state.runningMean.window(), running_variance: state.runningVariance.window() };
  device.kernels.run(
    "norm/merge",
    { BLOCK: block, OWN: all !== undefined, WORKGROUP: flatWorkgroup },
    { blocks: blocks.window(), moments: moments.window(), ...(!all && running) },
    { rows, window_rows: ranges[0]!.count, channels, epsilon, momentum },
    flatGrid(device, channels),
    // δ = mean − mean so far, squares += block + δ² · count · (n / (n + count)), mean += δ · (count / (n + count))
    { flops: (11 * blocks.size) / 2 },
  );
  blocks.dispose();
  if (!all) return moments;
  const parts = gatherTensors(moments.alias([2 * channels]), all.ranks);
  const counts = Tensor.constant(device, Float32Array.from(all.counts), [all.counts.length]);
  device.kernels.run(
    "norm/merge_ranks",
    { WORKGROUP: flatWorkgroup },
    { parts: parts.window(), rows: counts.window(), moments: moments.window(), ...running },
    { ranks: all.counts.length, channels, epsilon, momentum },
    flatGrid(device, channels),
    { flops: 11 * all.counts.length * channels },
  );
  for (const tensor of [parts, counts]) tensor.dispose();
  return moments;
}

/** (mean, 1/√(variance + ε)) of the running statistics → [2, C]. Not recorded. */
export function runningMoments(device: Device, state: BatchNormState, channels: number, epsilon: number): Tensor {
  expectChannels(state, channels);
  const moments = Tensor.empty(device, [2, channels]);
  device.kernels.run(
    "norm/running",
    { WORKGROUP: flatWorkgroup },
    {
      running_mean: state.runningMean.window(),
      running_variance: state.runningVariance.window(),
      moments: moments.window(),
    },
    { channels, epsilon },
    flatGrid(device, channels),
    // 1 / √(variance + ε)
    { flops: 3 * channels },
  );
  return moments;
}

function apply(x: Tensor, moments: Tensor, state: BatchNormState, relu: boolean, residual?: Tensor): Tensor {
  const { device } = x;
  const { channels, rows, width, vector } = layout(x);
  const y = Tensor.like(x);
  for (const { start, count } of rowRanges(device, rows, [channels])) {
    const windowOf = (tensor: Tensor) => tensor.window(start * channels, count * channels);
    device.kernels.run(
      "norm/apply",
      { BLOCK: block, RELU: relu, RESIDUAL: residual !== undefined, VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: windowOf(x),
        moments: moments.window(),
        scale: state.scale.window(),
        shift: state.shift.window(),
        y: windowOf(y),
        ...(residual && { residual: windowOf(residual) }),
      },
      { rows: count, channels: width },
      flatGrid(device, Math.ceil(count / block) * width),
      // (x − mean) · factor + shift, the residual, and the maximum
      { flops: (3 + (residual ? 1 : 0) + (relu ? 1 : 0)) * count * channels },
    );
  }
  return y;
}

/** Σ dz = dshift and Σ dz·x̂ = dscale, each [C], and both as sums [2, C]. */
function gradientSums(x: Tensor, dy: Tensor, y: Tensor, moments: Tensor, relu: boolean) {
  const { device } = x;
  const { channels, rows, width, vector } = layout(x);
  const ranges = rowRanges(device, rows, [channels]);
  const allBlocks = ranges.reduce((n, { count }) => n + Math.ceil(count / block), 0);
  const blocks = Tensor.empty(device, [allBlocks, 2, channels]);
  let firstBlock = 0;
  for (const { start, count } of ranges) {
    const windowOf = (tensor: Tensor) => tensor.window(start * channels, count * channels);
    device.kernels.run(
      "norm/gradient_sums",
      { BLOCK: block, RELU: relu, VECTOR: vector, WORKGROUP: flatWorkgroup },
      {
        x: windowOf(x),
        dy: windowOf(dy),
        moments: moments.window(),
        sums: blocks.window(),
        ...(relu && { y: windowOf(y) }),
      },
      { rows: count, channels: width, first_block: firstBlock },
      flatGrid(device, Math.ceil(count / block) * width),
      // Σ dz, and Σ dz · (x − mean)
      { flops: 4 * count * channels },
    );
    firstBlock += Math.ceil(count / block);
  }
  const parts = fewSums(blocks, channels);
  const sums = Tensor.empty(device, [2, channels]);
  const dshift = Tensor.empty(device, [channels]);
  const dscale = Tensor.empty(device, [channels]);
  device.kernels.run(
    "norm/gradient_merge",
    { VECTOR: vector, WORKGROUP: flatWorkgroup },
    { parts: parts.window(), sums: sums.window(), dshift: dshift.window(), dscale: dscale.window() },
    { parts: parts.shape[0]!, channels: width },
    flatGrid(device, width),
    { flops: parts.size },
  );
  parts.dispose();
  return { sums, dshift, dscale };
}

/** Sums [blocks, 2, C] added up until they fit one binding and one invocation can add the rest. */
function fewSums(blocks: Tensor, channels: number): Tensor {
  const count = blocks.shape[0]!;
  const fit = rowRanges(blocks.device, count, [2 * channels]).length === 1;
  if (fit && count <= partLength) return blocks;
  const sums = partSums(blocks, 1, count, 2 * channels);
  const fewer = sums.alias([sums.shape[1]!, 2, channels]);
  sums.dispose();
  blocks.dispose();
  return fewSums(fewer, channels);
}

function gradient(
  x: Tensor,
  dy: Tensor,
  y: Tensor,
  moments: Tensor,
  sums: Tensor | undefined,
  scale: Tensor,
  { training, relu, residual, allRows }: { training: boolean; relu: boolean; residual: boolean; allRows: number },
): { dx: Tensor; dresidual: Tensor | undefined } {
  const { device } = x;
  const { channels, rows, width, vector } = layout(x);
  const dx = Tensor.like(x);
  // Without ReLU the gradient of the residual is dy itself.
  const split = residual && relu ? Tensor.like(x) : undefined;
  for (const { start, count } of rowRanges(device, rows, [channels])) {
    const windowOf = (tensor: Tensor) => tensor.window(start * channels, count * channels);
    device.kernels.run(
      "norm/gradient",
      {
        BLOCK: block,
        TRAINING: training,
        RELU: relu,
        RESIDUAL: split !== undefined,
        VECTOR: vector,
        WORKGROUP: flatWorkgroup,
      },
      {
        dy: windowOf(dy),
        moments: moments.window(),
        scale: scale.window(),
        dx: windowOf(dx),
        ...(training && { x: windowOf(x), sums: sums!.window() }),
        ...(relu && { y: windowOf(y) }),
        ...(split && { dresidual: windowOf(split) }),
      },
      { rows: count, channels: width, all_rows: allRows },
      flatGrid(device, Math.ceil(count / block) * width),
      // slope · (dz − mean(dz) − (x − mean) · tilt), or slope · dz
      { flops: (training ? 5 : 1) * count * channels },
    );
  }
  return { dx, dresidual: residual ? (split ?? dy) : undefined };
}

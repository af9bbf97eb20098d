import { record } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, Tensor } from "../tensor.ts";

export interface AttentionOptions {
  /** Factor of q·k before the softmax; 1/√D unless given. */
  readonly scale?: number;
}

/** Longest row of one head that the kernels keep in registers. */
const mostDimensions = 128;

/** Where the operands lie, as shaders/attention/forward.wgsl has it: strides and offsets in vec4s. */
interface Layout {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  /** vec4s in the row of one head. */
  readonly width: number;
  readonly qStride: number;
  readonly keyStride: number;
  readonly offsets: readonly [q: number, k: number, v: number];
  readonly scale: number;
}

type Triple = readonly [q: Tensor, k: Tensor, v: Tensor];

/**
 * y = softmax(scale · q · kᵀ) · v for each head (Vaswani et al. 2017, equation 1), tile by tile: memory grows with T,
 * not with T². q: [B, T, heads, D], k and v: [B, S, heads, D] → [B, T, heads, D]; D a multiple of 4 up to 128.
 * @throws ShapeError when the extents do not fit
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const fits =
    [q, k, v].every((x) => x.rank === 4 && x.isFloat) &&
    k.shape.every((extent, axis) => extent === v.shape[axis] && (axis === 1 || extent === q.shape[axis]));
  if (!fits) {
    throw new ShapeError(
      `attention takes q [B, T, heads, D], k and v [B, S, heads, D]; found [${q.shape}], [${k.shape}], [${v.shape}]`,
    );
  }
  const [batch, queries, heads, dimensions] = q.shape as [number, number, number, number];
  const width = rowWidth(dimensions);
  const stride = heads * width;
  const scale = options.scale ?? 1 / Math.sqrt(dimensions);
  const keys = k.shape[1]!;
  const layout: Layout = {
    batch,
    queries,
    keys,
    heads,
    width,
    qStride: stride,
    keyStride: stride,
    offsets: [0, 0, 0],
    scale,
  };
  const { y, logSums } = forward([q, k, v], layout);
  // dS = P ∘ (dY·Vᵀ − rowsum(dY ∘ Y))    dQ = scale · dS·K    dK = scale · dSᵀ·Q    dV = Pᵀ·dY
  return record("attention", [q, k, v], y, (dy) => {
    const gradients: Triple = [Tensor.like(q), Tensor.like(k), Tensor.like(v)];
    backward([q, k, v], y, dy, logSums, gradients, layout);
    return gradients;
  });
}

/**
 * {@link attention} of q, k and v that lie beside each other, as one linear layer makes them, without copies.
 * qkv: [B, T, 3, heads, D] → [B, T, heads, D]; D a multiple of 4 up to 128.
 * @throws ShapeError when the extents do not fit
 */
export function selfAttention(qkv: Tensor, options: AttentionOptions = {}): Tensor {
  if (qkv.rank !== 5 || qkv.shape[2] !== 3 || !qkv.isFloat) {
    throw new ShapeError(`selfAttention takes f32 [B, T, 3, heads, D], found ${qkv.dtype} [${qkv.shape}]`);
  }
  const [batch, tokens, , heads, dimensions] = qkv.shape as [number, number, number, number, number];
  const width = rowWidth(dimensions);
  const part = heads * width;
  const scale = options.scale ?? 1 / Math.sqrt(dimensions);
  const layout: Layout = {
    batch,
    queries: tokens,
    keys: tokens,
    heads,
    width,
    qStride: 3 * part,
    keyStride: 3 * part,
    offsets: [0, part, 2 * part],
    scale,
  };
  const { y, logSums } = forward([qkv, qkv, qkv], layout);
  // As for attention; the three gradients lie like their operands.
  return record("selfAttention", [qkv], y, (dy) => {
    const dqkv = Tensor.like(qkv);
    backward([qkv, qkv, qkv], y, dy, logSums, [dqkv, dqkv, dqkv], layout);
    return [dqkv];
  });
}

function rowWidth(dimensions: number): number {
  if (dimensions % 4 !== 0 || dimensions > mostDimensions) {
    throw new ShapeError(
      `attention: a head has ${dimensions} dimensions; a multiple of 4 up to ${mostDimensions} fits`,
    );
  }
  return dimensions / 4;
}

/** Invocations of a workgroup where the subgroup size is not known or rows are not whole subgroups of vec4s. */
const plainLanes = 32;

function variant(device: Device, width: number) {
  const lanes = device.subgroupSize;
  return lanes > 0 && width % lanes === 0
    ? { BROADCAST: true, LANES: lanes, ROW_LANES: lanes, GROUPS: width / lanes }
    : { BROADCAST: false, LANES: lanes || plainLanes, ROW_LANES: 1, GROUPS: width };
}

/** Numbers kept for each entry of the batch, heads · queries of them, filled up so that any entry can start a window. */
function sumsStride(device: Device, { heads, queries }: Layout): number {
  const aligned = device.gpu.limits.minStorageBufferOffsetAlignment / 4;
  return Math.ceil((heads * queries) / aligned) * aligned;
}

function parameters(device: Device, layout: Layout) {
  const { queries, keys, heads, qStride, keyStride, offsets, scale } = layout;
  return {
    queries,
    keys,
    heads,
    q_stride: qStride,
    q_offset: offsets[0],
    key_stride: keyStride,
    k_offset: offsets[1],
    v_offset: offsets[2],
    sums_stride: sumsStride(device, layout),
    scale,
  };
}

/** Cuts the batch into runs that fit the adapter's bindings and grid. */
function* runs(tensors: readonly Tensor[], batch: number) {
  const { device } = tensors[0]!;
  const limit = device.gpu.limits.maxComputeWorkgroupsPerDimension;
  const sizes = tensors.map((tensor) => tensor.size / batch);
  for (const { start, count } of rowRanges(device, batch, sizes, limit)) {
    const part = (tensor: Tensor) => tensor.window((start * tensor.size) / batch, (count * tensor.size) / batch);
    yield { count, part };
  }
}

/**
 * Operations of one product of all queries with all keys. The forward pass makes two of them (q·kᵀ, P·v), the gradient of
 * the queries three (q·kᵀ again, dY·Vᵀ, dS·K), that of keys and values four (the first two again, dSᵀ·Q, Pᵀ·dY).
 */
function product({ queries, keys, heads, width }: Layout, batch: number): number {
  return 2 * batch * heads * queries * keys * 4 * width;
}

function forward([q, k, v]: Triple, layout: Layout) {
  const { device } = q;
  const { batch, queries, heads, width } = layout;
  const y = Tensor.like(q, [batch, queries, heads, 4 * width]);
  const logSums = Tensor.empty(device, [batch, sumsStride(device, layout)]);
  const config = variant(device, width);
  for (const { count, part } of runs([q, k, v, y, logSums], batch)) {
    device.kernels.run(
      "attention/forward",
      config,
      { q: part(q), k: part(k), v: part(v), y: part(y), log_sums: part(logSums) },
      parameters(device, layout),
      [Math.ceil(queries / config.LANES), heads, count],
      { flops: 2 * product(layout, count) },
    );
  }
  return { y, logSums };
}

/** Writes the gradients; they are one tensor three times when q, k and v are. */
function backward([q, k, v]: Triple, y: Tensor, dy: Tensor, logSums: Tensor, [dq, dk, dv]: Triple, layout: Layout) {
  const { device } = q;
  const { batch, queries, keys, heads, width } = layout;
  const config = variant(device, width);
  const fused = dq === dk;
  using delta = Tensor.like(logSums);
  for (const { count, part } of runs([q, k, v, y, logSums], batch)) {
    const rows = count * queries * heads;
    device.kernels.run(
      "attention/delta",
      { WORKGROUP: flatWorkgroup },
      { y: part(y), dy: part(dy), delta: part(delta) },
      { rows, queries, heads, width, sums_stride: sumsStride(device, layout) },
      flatGrid(device, rows),
      { flops: 2 * rows * 4 * width },
    );
    const operands = {
      q: part(q),
      k: part(k),
      v: part(v),
      dy: part(dy),
      log_sums: part(logSums),
      delta: part(delta),
    };
    device.kernels.run(
      "attention/query_gradient",
      config,
      { ...operands, dq: part(dq) },
      parameters(device, layout),
      [Math.ceil(queries / config.LANES), heads, count],
      { flops: 3 * product(layout, count) },
    );
    device.kernels.run(
      "attention/key_gradient",
      { ...config, FUSED: fused },
      { ...operands, ...(fused ? { dqkv: part(dq) } : { dk: part(dk), dv: part(dv) }) },
      parameters(device, layout),
      [Math.ceil(keys / config.LANES), heads, count],
      { flops: 4 * product(layout, count) },
    );
  }
}

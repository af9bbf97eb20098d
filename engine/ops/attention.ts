import { type Checks, expectOptions, finite } from "../arguments.ts";
import { record } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { type AttentionWay, attentionWays } from "./attention-ways.ts";
import { expectOperands } from "./operands.ts";

export interface AttentionOptions {
  /** Factor of q·k before the softmax; 1/√D unless given. */
  readonly scale?: number;
}

const checks: Checks<AttentionOptions> = { scale: finite };

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

/** Where the rows of one operand lie, in vec4s. */
interface OperandRows {
  readonly stride: number;
  readonly offset: number;
}

type Triple = readonly [q: Tensor, k: Tensor, v: Tensor];

/**
 * y = softmax(scale · q · kᵀ) · v for each head (Vaswani et al. 2017, equation 1), tile by tile: memory grows with T,
 * not with T². q: [B, T, heads, D], k and v: [B, S, heads, D] → [B, T, heads, D]; D a multiple of 4 up to 128.
 * @throws ShapeError when the extents do not fit
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  expectOptions("attention", options, checks);
  expectOperands("attention", { q, k, v });
  const fits =
    [q, k, v].every((x) => x.rank === 4) &&
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
  return record(["attention", { scale }], [q, k, v], y, (dy) => {
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
  expectOptions("selfAttention", options, checks);
  expectOperands("selfAttention", { qkv });
  if (qkv.rank !== 5 || qkv.shape[2] !== 3) {
    throw new ShapeError(`selfAttention takes [B, T, 3, heads, D], found ${qkv.dtype} [${qkv.shape}]`);
  }
  const [batch, tokens, , heads, dimensions] = qkv.shape as [number, number, number, number, number];
  const width = rowWidth(dimensions);
  const span = heads * width;
  const scale = options.scale ?? 1 / Math.sqrt(dimensions);
  const layout: Layout = {
    batch,
    queries: tokens,
    keys: tokens,
    heads,
    width,
    qStride: 3 * span,
    keyStride: 3 * span,
    offsets: [0, span, 2 * span],
    scale,
  };
  const { y, logSums } = forward([qkv, qkv, qkv], layout);
  // As for attention; the three gradients lie like their operands.
  return record(["selfAttention", { scale }], [qkv], y, (dy) => {
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

/** Numbers kept for each entry of the batch, heads · queries of them, filled up so that any entry can start a window. */
function sumsStride(device: Device, { heads, queries }: Layout): number {
  const aligned = device.offsetAlignment / 4;
  return Math.ceil((heads * queries) / aligned) * aligned;
}

/** Cuts the batch into runs that fit the adapter's bindings. */
function* runs(tensors: readonly Tensor[], batch: number) {
  const { device } = tensors[0]!;
  const sizes = tensors.map((tensor) => tensor.size / batch);
  for (const { start, count } of rowRanges(device, batch, sizes)) {
    const windowOf = (tensor: Tensor) => tensor.window((start * tensor.size) / batch, (count * tensor.size) / batch);
    yield { count, windowOf };
  }
}

/**
 * Operations of one product of all queries with all keys. The forward pass makes two of them (q·kᵀ, P·v), the gradient of
 * the queries three (q·kᵀ again, dY·Vᵀ, dS·K), that of keys and values four (the first two again, dSᵀ·Q, Pᵀ·dY).
 */
function product({ queries, keys, heads, width }: Layout, batch: number): number {
  return 2 * batch * heads * queries * keys * 4 * width;
}

/** What the time of a kernel depends on. */
function describe(what: string, { batch, queries, keys, heads, width }: Layout, { dtype }: Tensor): string {
  return `attention ${what} ${batch}x${heads} of ${queries}x${keys}x${4 * width} ${dtype}`;
}

/** Arithmetic of one run of a trial, at most about. */
const trialFlops = 2e8;

/** The layout of a trial: fewer entries of the batch when there is much to do. */
function trialLayout(layout: Layout): Layout {
  const { batch, queries, keys, heads, width } = layout;
  const flops = 32 * queries * keys * heads * width;
  return { ...layout, batch: Math.min(batch, Math.max(1, Math.ceil(trialFlops / flops))) };
}

/** Zeros of the shapes and types of `models`, in a batch of another size; the same tensor for the same model. */
function trialTensors(models: readonly Tensor[], batch: number): Tensor[] {
  const made = new Map<Tensor, Tensor>();
  return models.map((model) => {
    const known = made.get(model);
    if (known) return known;
    const tensor = Tensor.zeros(model.device, [batch, ...model.shape.slice(1)], model.dtype).keep();
    made.set(model, tensor);
    return tensor;
  });
}

function dispose(tensors: readonly Tensor[]): void {
  for (const tensor of new Set(tensors)) tensor.dispose();
}

function forward([q, k, v]: Triple, layout: Layout) {
  const { device } = q;
  const { batch, queries, heads, width } = layout;
  const y = Tensor.like(q, [batch, queries, heads, 4 * width]);
  const logSums = Tensor.empty(device, [batch, sumsStride(device, layout)]);
  const operands = [q, k, v, y, logSums];
  const way = device.tuner.choose(describe("forward", layout, q), attentionWays(device, width), () => {
    const small = trialLayout(layout);
    const own = trialTensors(operands, small.batch);
    return { run: (tried) => runForward(tried, own, small), dispose: () => dispose(own) };
  });
  runForward(way, operands, layout);
  return { y, logSums };
}

function runForward(way: AttentionWay, tensors: readonly Tensor[], layout: Layout): void {
  const { device } = tensors[0]!;
  const { batch, queries, keys, heads, width, qStride, keyStride, offsets, scale } = layout;
  for (const { count, windowOf } of runs(tensors, batch)) {
    const [q, k, v, y, logSums] = tensors.map(windowOf);
    device.kernels.run(
      way.shared ? "attention/shared_forward" : "attention/forward",
      way.constants,
      { q: q!, k: k!, v: v!, y: y!, log_sums: logSums! },
      {
        queries,
        keys,
        heads,
        q_stride: qStride,
        q_offset: offsets[0],
        key_stride: keyStride,
        k_offset: offsets[1],
        v_offset: offsets[2],
        sums_stride: sumsStride(device, layout),
        ...(way.shared ? { eight: 8 } : { width }),
        scale,
      },
      [Math.ceil(queries / way.rows), heads, count],
      { flops: 2 * product(layout, count), variant: way.name },
    );
  }
}

/** Writes the gradients; they are one tensor three times when q, k and v are. */
function backward([q, k, v]: Triple, y: Tensor, dy: Tensor, logSums: Tensor, [dq, dk, dv]: Triple, layout: Layout) {
  const { device } = q;
  const { batch, queries, heads, width } = layout;
  using delta = Tensor.like(logSums);
  for (const { count, windowOf } of runs([y, dy, delta], batch)) {
    const rows = count * queries * heads;
    device.kernels.run(
      "attention/delta",
      { WORKGROUP: flatWorkgroup },
      { y: windowOf(y), dy: windowOf(dy), delta: windowOf(delta) },
      { rows, queries, heads, width, sums_stride: sumsStride(device, layout) },
      flatGrid(device, rows),
      { flops: 2 * rows * 4 * width },
    );
  }
  gradient("query", [q, dy, k, v, logSums, delta, dq], layout);
  gradient("key", [k, v, q, dy, logSums, delta, dk, dv], layout);
}

type Side = "query" | "key";

/** One pass of shaders/attention/gradient.wgsl over a, b, c, d, log_sums, delta, da and, for keys, db. */
function gradient(side: Side, tensors: readonly Tensor[], layout: Layout): void {
  const [a] = tensors as [Tensor];
  const { device } = a;
  const way = device.tuner.choose(describe(`${side} gradient`, layout, a), attentionWays(device, layout.width), () => {
    const small = trialLayout(layout);
    const own = trialTensors(tensors, small.batch);
    return { run: (tried) => runGradient(tried, side, own, small), dispose: () => dispose(own) };
  });
  runGradient(way, side, tensors, layout);
}

function runGradient(way: AttentionWay, side: Side, tensors: readonly Tensor[], layout: Layout): void {
  const { device } = tensors[0]!;
  const { batch, queries, keys, heads, width, qStride, keyStride, offsets, scale } = layout;
  const places = {
    q: { stride: qStride, offset: offsets[0] },
    k: { stride: keyStride, offset: offsets[1] },
    v: { stride: keyStride, offset: offsets[2] },
    dy: { stride: heads * width, offset: 0 },
  };
  const { own, walked, products, order } = {
    query: { own: queries, walked: keys, products: 3, order: ["q", "dy", "k", "v"] as const },
    key: { own: keys, walked: queries, products: 4, order: ["k", "v", "q", "dy"] as const },
  }[side];
  const [a, b, c, d] = order.map((name) => places[name]) as [OperandRows, OperandRows, OperandRows, OperandRows];
  const fused = tensors[6] === tensors[7];
  for (const { count, windowOf } of runs(tensors, batch)) {
    const names = ["a", "b", "c", "d", "log_sums", "delta", "da", ...(side === "key" && !fused ? ["db"] : [])];
    device.kernels.run(
      way.shared ? "attention/shared_gradient" : "attention/gradient",
      {
        ...way.constants,
        OWN: side === "query" ? "queries" : "keys",
        FUSED: fused,
        ...(way.shared && { SIDES: side === "query" ? 1 : 2 }),
      },
      Object.fromEntries(names.map((name, i) => [name, windowOf(tensors[i]!)])),
      {
        own,
        walked,
        a_stride: a.stride,
        a_offset: a.offset,
        b_stride: b.stride,
        b_offset: b.offset,
        c_stride: c.stride,
        c_offset: c.offset,
        d_stride: d.stride,
        d_offset: d.offset,
        sums_stride: sumsStride(device, layout),
        ...(way.shared ? { eight: 8 } : { width }),
        scale,
      },
      [Math.ceil(own / way.rows), heads, count],
      { flops: products * product(layout, count), variant: way.name },
    );
  }
}

import type { Device } from "../device/device.ts";
import type { KernelArgument } from "../kernel/argument.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { type AttentionWay, attentionWays } from "./attention-ways.ts";

/** Where the operands lie, as shaders/attention/forward.wgsl has it: strides and offsets in vec4s. */
export interface Layout {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  /** Heads of q that look at the same head of k and v. */
  readonly share: number;
  /** vec4s in the row of one head. */
  readonly width: number;
  readonly qStride: number;
  readonly keyStride: number;
  readonly offsets: readonly [q: number, k: number, v: number];
  readonly scale: number;
  readonly causal: boolean;
  /** [B or 1, heads or 1, T or 1, S] */
  readonly bias: Tensor | undefined;
}

/** Where the rows of one operand lie, in vec4s. */
interface OperandRows {
  readonly stride: number;
  readonly offset: number;
}

export type Triple = readonly [q: Tensor, k: Tensor, v: Tensor];

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
function describe(what: string, layout: Layout, { dtype }: Tensor): string {
  const { batch, queries, keys, heads, share, width, causal, bias } = layout;
  const more = `${share > 1 ? `, ${share} a key head` : ""}${causal ? ", causal" : ""}${bias ? `, biased ${bias.dtype}` : ""}`;
  return `attention ${what} ${batch}x${heads} of ${queries}x${keys}x${4 * width} ${dtype}${more}`;
}

/** Constants and numbers of what is added to the scores, and its window for entries of the batch. */
function biasing({ bias, causal, batch, heads, queries, keys }: Layout) {
  const [entries = 1, some = 1, rows = 1] = bias?.shape ?? [];
  const strides = {
    bias_batch: entries === 1 ? 0 : some * rows * keys,
    bias_head: some === 1 ? 0 : rows * keys,
    bias_query: rows === 1 ? 0 : keys,
  };
  if (some !== 1 && some !== heads) throw new ShapeError(`attention: a bias of ${some} heads for ${heads}`);
  if (rows !== 1 && rows !== queries) throw new ShapeError(`attention: a bias of ${rows} queries for ${queries}`);
  return {
    constants: { BIAS: bias !== undefined, CAUSAL: causal, HIDES: causal || bias !== undefined },
    parameters: bias ? strides : {},
    windows: (windowOf: (tensor: Tensor) => KernelArgument): Record<string, KernelArgument> =>
      bias ? { bias: entries === 1 && batch > 1 ? bias.window() : windowOf(bias) } : {},
    cut: bias && entries > 1 ? [bias] : [],
  };
}

/** Arithmetic of one run of a trial, at most about. */
const trialFlops = 2e8;

/** The layout of a trial: fewer entries of the batch when there is much to do. */
function trialLayout(layout: Layout): Layout {
  const { batch, queries, keys, heads, width } = layout;
  const flops = 32 * queries * keys * heads * width;
  const entries = Math.min(batch, Math.max(1, Math.ceil(trialFlops / flops)));
  const { bias } = layout;
  const own =
    bias && Tensor.zeros(bias.device, bias.shape.with(0, Math.min(entries, bias.shape[0]!)), bias.dtype).keep();
  return { ...layout, batch: entries, bias: own };
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

function disposeTrial(tensors: readonly Tensor[], { bias }: Layout): void {
  for (const tensor of new Set(tensors)) tensor.dispose();
  bias?.dispose();
}

export function forward([q, k, v]: Triple, layout: Layout) {
  const { device } = q;
  const { batch, queries, heads, width } = layout;
  const y = Tensor.like(q, [batch, queries, heads, 4 * width]);
  const logSums = Tensor.empty(device, [batch, sumsStride(device, layout)]);
  const operands = [q, k, v, y, logSums];
  const way = device.tuner.choose(describe("forward", layout, q), waysOf(device, layout), () => {
    const small = trialLayout(layout);
    const own = trialTensors(operands, small.batch);
    return { run: (tried) => runForward(tried, own, small), dispose: () => disposeTrial(own, small) };
  });
  runForward(way, operands, layout);
  return { y, logSums };
}

function runForward(way: AttentionWay, tensors: readonly Tensor[], layout: Layout): void {
  const { device } = tensors[0]!;
  const { batch, queries, keys, heads, share, width, qStride, keyStride, offsets, scale } = layout;
  const { constants, parameters, windows, cut: biased } = biasing(layout);
  for (const { count, windowOf } of runs([...tensors, ...biased], batch)) {
    const [q, k, v, y, logSums] = tensors.map(windowOf);
    device.kernels.run(
      way.shared ? "attention/shared_forward" : "attention/forward",
      { ...way.constants, ...(!way.shared && constants) },
      { q: q!, k: k!, v: v!, y: y!, log_sums: logSums!, ...windows(windowOf) },
      {
        ...parameters,
        share,
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
export function backward(
  [q, k, v]: Triple,
  y: Tensor,
  dy: Tensor,
  logSums: Tensor,
  [dq, dk, dv]: Triple,
  layout: Layout,
) {
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

/** Ways of a layout: the tiles of workgroup memory have no bias, no order of keys and no shared heads. */
function waysOf(device: Device, { width, bias, causal, share }: Layout): AttentionWay[] {
  return attentionWays(device, width, bias === undefined && !causal && share === 1);
}

type Side = "query" | "key";

/** One pass of shaders/attention/gradient.wgsl over a, b, c, d, log_sums, delta, da and, for keys, db. */
function gradient(side: Side, tensors: readonly Tensor[], layout: Layout): void {
  const [a] = tensors as [Tensor];
  const { device } = a;
  const way = device.tuner.choose(describe(`${side} gradient`, layout, a), waysOf(device, layout), () => {
    const small = trialLayout(layout);
    const own = trialTensors(tensors, small.batch);
    return { run: (tried) => runGradient(tried, side, own, small), dispose: () => disposeTrial(own, small) };
  });
  runGradient(way, side, tensors, layout);
}

function runGradient(way: AttentionWay, side: Side, tensors: readonly Tensor[], layout: Layout): void {
  const { device } = tensors[0]!;
  const { batch, queries, keys, heads, share, width, qStride, keyStride, offsets, scale } = layout;
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
  const { constants, parameters, windows, cut: biased } = biasing(layout);
  for (const { count, windowOf } of runs([...tensors, ...biased], batch)) {
    const names = ["a", "b", "c", "d", "log_sums", "delta", "da", ...(side === "key" && !fused ? ["db"] : [])];
    device.kernels.run(
      way.shared ? "attention/shared_gradient" : "attention/gradient",
      {
        ...way.constants,
        ...(!way.shared && constants),
        OWN: side === "query" ? "queries" : "keys",
        FUSED: fused,
        ...(way.shared && { SIDES: side === "query" ? 1 : 2 }),
      },
      { ...Object.fromEntries(names.map((name, i) => [name, windowOf(tensors[i]!)])), ...windows(windowOf) },
      {
        ...parameters,
        share,
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
      [Math.ceil(own / way.rows), side === "query" ? heads : heads / share, count],
      { flops: products * product(layout, count), variant: way.name },
    );
  }
}

import { relativeError, sizeOf, tolerance, uniform } from "../data.ts";
import { OnnxGraph, type Value } from "../onnx.ts";

/** softmax(q·kᵀ/√D)·v per head as nodes of a graph; all [B, T, heads · D]. */
export type AttentionNodes = (graph: OnnxGraph, q: Value, k: Value, v: Value, heads: number) => Value;

/** The fused operator, for which the WebGPU provider has flash attention. */
export const fusedAttention: AttentionNodes = (graph, q, k, v, heads) =>
  graph.node("com.microsoft:MultiHeadAttention", [q, k, v], q.shape, { num_heads: heads });

/** Products and a softmax, as exporters write it. */
export const plainAttention: AttentionNodes = (graph, q, k, v, heads) => {
  const [images, tokens, width] = q.shape as [number, number, number];
  const dimensions = width / heads;
  const inHeads = (x: Value, perm: readonly number[]) => {
    const split = [images, tokens, heads, dimensions];
    const rows = graph.node("Reshape", [x, graph.integers(split)], split);
    return graph.node(
      "Transpose",
      [rows],
      perm.map((axis) => split[axis]!),
      { perm },
    );
  };
  const square = [images, heads, tokens, tokens];
  const products = graph.node("MatMul", [inHeads(q, [0, 2, 1, 3]), inHeads(k, [0, 2, 3, 1])], square);
  const factor = graph.weight(`${products.name}.scale`, Float32Array.of(1 / Math.sqrt(dimensions)), [1]);
  const weights = graph.node("Softmax", [graph.node("Mul", [products, factor], square)], square, { axis: -1 });
  const mixed = graph.node("MatMul", [weights, inHeads(v, [0, 2, 1, 3])], [images, heads, tokens, dimensions]);
  const rows = graph.node("Transpose", [mixed], [images, tokens, heads, dimensions], { perm: [0, 2, 1, 3] });
  return graph.node("Reshape", [rows, graph.integers(q.shape)], q.shape);
};

/** Runs a model with random inputs on one of the runtime's providers. */
export type RunOn = (
  provider: "cpu" | "webgpu",
  model: Uint8Array,
  feeds: readonly (Value & { readonly data: Float32Array })[],
) => Promise<Float32Array>;

/**
 * The fused operator where it agrees with the runtime's own CPU provider on this adapter, otherwise the plain nodes and
 * a note of it: networks with attention could not be compared at all if a wrong kernel were insisted upon.
 */
export async function chooseAttention(run: RunOn): Promise<{ attention: AttentionNodes; note?: string }> {
  const shape = [1, 197, 192];
  const inputs = ["q", "k", "v"].map((name) => ({ name, shape, data: uniform(name, sizeOf(shape)) }));
  const graph = new OnnxGraph();
  const [q, k, v] = inputs;
  const model = await graph.encode(inputs, fusedAttention(graph, q!, k!, v!, 3));
  const error = relativeError(await run("webgpu", model, inputs), await run("cpu", model, inputs));
  if (error <= tolerance) return { attention: fusedAttention };
  return {
    attention: plainAttention,
    note:
      `its fused attention (MultiHeadAttention) on WebGPU differs from its own CPU provider by ${error.toExponential(1)} ` +
      "on this adapter, so attention is made of MatMul and Softmax instead",
  };
}

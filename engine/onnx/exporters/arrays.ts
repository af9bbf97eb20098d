import type { JournalEntry } from "../../journal.ts";
import type { Tensor } from "../../tensor.ts";
import { OnnxError } from "../errors.ts";
import type { ExportGraph } from "../export-graph.ts";
import { detail, type Exporter, type Exporters, told } from "./exporter.ts";

function nodeOf(make: (graph: ExportGraph, x: string, entry: JournalEntry<Tensor>) => string): Exporter {
  return (graph, entry) => graph.set(entry.output, make(graph, graph.plain(entry.inputs[0]!), entry));
}

function reshaped({ writer }: ExportGraph, value: string, shape: readonly number[]): string {
  return writer.node("Reshape", [value, writer.integers(shape, "shape")]);
}

const linear: Exporter = (graph, { inputs, output }) => {
  const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor?];
  const operands = [graph.plain(x), graph.plain(weight)];
  const node = bias
    ? graph.writer.node("Gemm", [...operands, graph.plain(bias)])
    : graph.writer.node("MatMul", operands);
  graph.set(output, node);
};

/** A reduction over some axes, which go or stay with the extent 1. */
function reduction(operator: string): Exporter {
  return nodeOf((graph, x, entry) => {
    const axes = detail<readonly number[]>(entry, "axes");
    const { writer } = graph;
    const inputs = [x, writer.integers(axes, "axes")];
    const reduced = writer.node(operator, inputs, { keepdims: 0, noop_with_empty_axes: 1 });
    return reshaped(graph, reduced, entry.output.shape);
  });
}

/** softmax(scale · q · kᵀ) · v for q, k, v [B, T, heads, D] → [B, T, heads, D]. */
function attended({ writer }: ExportGraph, [q, k, v]: readonly string[], scale: number): string {
  const heads = writer.node("Transpose", [q!], { perm: [0, 2, 1, 3] });
  const keys = writer.node("Transpose", [k!], { perm: [0, 2, 3, 1] });
  const values = writer.node("Transpose", [v!], { perm: [0, 2, 1, 3] });
  const factor = writer.constant("scale", "float32", [], [scale]);
  const scores = writer.node("MatMul", [writer.node("Mul", [heads, factor]), keys]);
  const mixed = writer.node("MatMul", [writer.node("Softmax", [scores], { axis: -1 }), values]);
  return writer.node("Transpose", [mixed], { perm: [0, 2, 1, 3] });
}

/** @throws OnnxError for attention that hides or shares keys */
function expectPlain(entry: JournalEntry<Tensor>): void {
  const [q, k] = entry.inputs;
  const hides = ["bias", "mask", "causal"].find((option) => told(entry, option));
  if (hides || (k && k.shape[2] !== q!.shape[2]))
    throw new OnnxError(`${entry.operation} with ${hides ?? "fewer key heads"} cannot be written as ONNX yet`);
}

const attention: Exporter = (graph, entry) => {
  expectPlain(entry);
  const operands = entry.inputs.slice(0, 3).map((tensor) => graph.plain(tensor));
  graph.set(entry.output, attended(graph, operands, detail(entry, "scale")));
};

/** q, k and v beside each other, [B, T, 3, heads, D]. */
const selfAttention: Exporter = nodeOf((graph, x, entry) => {
  expectPlain(entry);
  const { writer } = graph;
  const [batch, tokens, , heads, dimensions] = entry.inputs[0]!.shape as readonly number[];
  const parts = writer.nodes("Split", [x, writer.integers([1, 1, 1], "split")], ["q", "k", "v"], { axis: 2 });
  const operands = parts.map((part) => reshaped(graph, part, [batch!, tokens!, heads!, dimensions!]));
  return attended(graph, operands, detail(entry, "scale"));
});

const layerNorm: Exporter = (graph, entry) => {
  const [x, scale, shift] = entry.inputs as [Tensor, Tensor, Tensor];
  const attributes = { axis: -1, epsilon: { float: detail<number>(entry, "epsilon") } };
  const inputs = [graph.plain(x), graph.plain(scale), graph.plain(shift)];
  graph.set(entry.output, graph.writer.node("LayerNormalization", inputs, attributes));
};

/** x / max(‖x‖, ε) over the last axis. */
const l2Normalise: Exporter = nodeOf(({ writer }, x, entry) => {
  const length = writer.node("ReduceL2", [x, writer.integers([-1], "axes")], { keepdims: 1 });
  const least = writer.constant("epsilon", "float32", [], [detail<number>(entry, "epsilon")]);
  return writer.node("Div", [x, writer.node("Max", [length, least])]);
});

const slice: Exporter = nodeOf(({ writer }, x, entry) => {
  const starts = detail<readonly number[]>(entry, "starts");
  const ends = starts.map((start, axis) => start + entry.output.shape[axis]!);
  return writer.node("Slice", [x, writer.integers(starts, "starts"), writer.integers(ends, "ends")]);
});

const pad: Exporter = nodeOf(({ writer }, x, entry) => {
  const pads = [...detail<readonly number[]>(entry, "before"), ...detail<readonly number[]>(entry, "after")];
  const value = writer.constant("value", "float32", [], [detail<number>(entry, "value")]);
  return writer.node("Pad", [x, writer.integers(pads, "pads"), value]);
});

const concat: Exporter = (graph, entry) => {
  const values = entry.inputs.map((tensor) => graph.plain(tensor));
  graph.set(entry.output, graph.writer.node("Concat", values, { axis: detail<number>(entry, "axis") }));
};

const matrixProduct: Exporter = (graph, { inputs, output }) =>
  graph.set(
    output,
    graph.writer.node(
      "MatMul",
      inputs.map((tensor) => graph.plain(tensor)),
    ),
  );

export const arrayExporters: Exporters = {
  linear,
  batchedMatmul: matrixProduct,
  attention,
  selfAttention,
  layerNorm,
  l2Normalise,
  slice,
  pad,
  concat,
  sum: reduction("ReduceSum"),
  mean: reduction("ReduceMean"),
  amax: reduction("ReduceMax"),
  amin: reduction("ReduceMin"),
  product: reduction("ReduceProd"),
  logSumExp: reduction("ReduceLogSumExp"),
  reshape: nodeOf((graph, x, { output }) => reshaped(graph, x, output.shape)),
  permute: nodeOf(({ writer }, x, entry) =>
    writer.node("Transpose", [x], { perm: detail<readonly number[]>(entry, "axes") }),
  ),
  transpose: nodeOf(({ writer }, x, { inputs }) => {
    const order = inputs[0]!.shape.map((_, axis) => axis);
    return writer.node("Transpose", [x], { perm: [...order.slice(0, -2), order.length - 1, order.length - 2] });
  }),
  softmax: nodeOf(({ writer }, x) => writer.node("Softmax", [x], { axis: -1 })),
  logSoftmax: nodeOf(({ writer }, x) => writer.node("LogSoftmax", [x], { axis: -1 })),
};

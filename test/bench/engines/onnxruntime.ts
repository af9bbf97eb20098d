import type { Case } from "../cases.ts";
import { channelsLastOrder, type Extents, permuted, permutedShape, toChannelsFirst, toChannelsLast } from "../data.ts";
import { type Engine, NotOffered, type Prepared } from "../engine.ts";
import { inputData, weightData } from "../inputs.ts";
import { batchEpsilon, layerEpsilon, type Operations, patch } from "../networks.ts";
import { OnnxGraph, type Value } from "../onnx.ts";
import { importRival, rivalVersion } from "../package-of.ts";
import { type AttentionNodes, chooseAttention, type RunOn } from "./onnx-attention.ts";

interface OrtTensor {
  readonly data: Float32Array;
}

interface Session {
  readonly outputNames: readonly string[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** The part of onnxruntime-node that is used. */
interface Ort {
  readonly Tensor: new (type: "float32", data: Float32Array, shape: Extents) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
}

/**
 * Nodes that the provider cannot run must not slip to the CPU: without this, that would happen in silence. The layout
 * is the provider's own choice for pictures. The thread pool is for CPU nodes, of which there are none.
 */
const sessionOptions = {
  executionProviders: [{ name: "webgpu", preferredLayout: "NHWC" }],
  extra: { session: { disable_cpu_ep_fallback: "1" } },
  graphOptimizationLevel: "all",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};

export async function open(): Promise<Engine> {
  const ort = await importRival<Ort>("onnxruntime-node");
  const run: RunOn = async (provider, model, feeds) => {
    const options = provider === "cpu" ? { executionProviders: ["cpu"] } : sessionOptions;
    const session = await ort.InferenceSession.create(model, options);
    const tensors = feeds.map(({ name, data, shape }) => [name, new ort.Tensor("float32", data, shape)]);
    const outputs = await session.run(Object.fromEntries(tensors));
    await session.release();
    return outputs[session.outputNames[0]!]!.data;
  };
  const { attention, note } = await chooseAttention(run);
  return {
    version: rivalVersion("onnxruntime-node"),
    adapter: "not told by onnxruntime-node, which has a Dawn of its own",
    ...(note && { note }),
    prepare: (wanted) => prepare(ort, attention, wanted),
  };
}

const native = (shape: Extents) => (shape.length === 4 ? permutedShape(shape, toChannelsFirst) : shape);

async function prepare(ort: Ort, attention: AttentionNodes, wanted: Case): Promise<Prepared> {
  if (wanted.mode !== "forward") throw new NotOffered("onnxruntime-node has no training");
  const graph = new OnnxGraph();
  const inputs = wanted.inputs.map((shape, i) => ({ name: `input${i}`, shape: native(shape) }));
  const output = wanted.network(operationsOf(wanted, graph, attention), inputs);
  const session = await ort.InferenceSession.create(await graph.encode(inputs, output), sessionOptions);
  const data = inputData(wanted).map((numbers, i) => {
    const shape = wanted.inputs[i]!;
    return shape.length === 4 ? permuted(numbers, shape, toChannelsFirst) : numbers;
  });
  return {
    async run() {
      const feeds = Object.fromEntries(
        inputs.map(({ name, shape }, i) => [name, new ort.Tensor("float32", data[i]!, shape)]),
      );
      return [(await session.run(feeds))[output.name]!.data];
    },
    canonical: (outputs) =>
      outputs.map((numbers) =>
        wanted.output.length === 4 ? permuted(numbers, native(wanted.output), toChannelsLast) : numbers,
      ),
    release: () => session.release(),
  };
}

/** Pictures are [N, C, H, W] in ONNX, convolution weights in file order, matrices [in, out]. */
function operationsOf(wanted: Case, graph: OnnxGraph, attention: AttentionNodes): Operations<Value> {
  const convolution = (x: Value, weight: Value, stride: number, padding: number, bias: Value[] = []) => {
    const [images, , height, width] = x.shape as [number, number, number, number];
    const [columns, , kernel] = weight.shape as [number, number, number, number];
    const side = (extent: number) => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
    const attributes = { strides: [stride, stride], pads: [padding, padding, padding, padding] };
    return graph.node("Conv", [x, weight, ...bias], [images, columns, side(height), side(width)], attributes);
  };
  const reshape = (x: Value, shape: Extents) => graph.node("Reshape", [x, graph.integers(shape)], shape);
  const add = (a: Value, b: Value) => graph.node("Add", [a, b], a.shape);
  return {
    parameter(name, shape) {
      const order = shape.length === 2 ? channelsLastOrder(shape) : shape.map((_, axis) => axis);
      return graph.weight(name, permuted(weightData(wanted, name, shape), shape, order), permutedShape(shape, order));
    },
    convolution: (x, weight, { stride, padding }) => convolution(x, weight, stride, padding),
    batchNorm(x, { scale, shift, mean, variance }, { training, residual, relu }) {
      if (training) throw new NotOffered("onnxruntime-node has no batch norm with statistics of the batch");
      const epsilon = { epsilon: batchEpsilon };
      let y = graph.node("BatchNormalization", [x, scale, shift, mean, variance], x.shape, {}, epsilon);
      if (residual) y = add(y, residual);
      return relu ? graph.node("Relu", [y], y.shape) : y;
    },
    maxPool(x) {
      const [images, channels, height, width] = x.shape as [number, number, number, number];
      const attributes = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
      return graph.node("MaxPool", [x], [images, channels, Math.ceil(height / 2), Math.ceil(width / 2)], attributes);
    },
    globalAverage(x) {
      const [images, channels] = x.shape as [number, number];
      return reshape(graph.node("GlobalAveragePool", [x], [images, channels, 1, 1]), [images, channels]);
    },
    linear(x, weight, bias) {
      const shape = [...x.shape.slice(0, -1), weight.shape[1]!];
      if (bias && x.shape.length === 2) return graph.node("Gemm", [x, weight, bias], shape);
      const y = graph.node("MatMul", [x, weight], shape);
      return bias ? add(y, bias) : y;
    },
    layerNorm: (x, scale, shift) =>
      graph.node("LayerNormalization", [x, scale, shift], x.shape, { axis: -1 }, { epsilon: layerEpsilon }),
    gelu: (x) => graph.node("com.microsoft:Gelu", [x], x.shape),
    add,
    attention: (q, k, v, heads) => attention(graph, q, k, v, heads),
    selfAttention(qkv, heads) {
      const [images, tokens, width] = qkv.shape as [number, number, number];
      const part = [images, tokens, width / 3];
      const [q, k, v] = graph.nodes("Split", [qkv], [part, part, part], { axis: 2, num_outputs: 3 });
      return attention(graph, q!, k!, v!, heads);
    },
    patches(x, weight, bias) {
      const map = convolution(x, weight, patch, 0, [bias]);
      const [images, columns, height, width] = map.shape as [number, number, number, number];
      const rows = reshape(map, [images, columns, height * width]);
      return graph.node("Transpose", [rows], [images, height * width, columns], { perm: [0, 2, 1] });
    },
    prependToken(tokens, token) {
      const [images, count, width] = tokens.shape as [number, number, number];
      const shape = [images, 1, width];
      const first = images === 1 ? token : graph.node("Expand", [token, graph.integers(shape)], shape);
      return graph.node("Concat", [first, tokens], [images, count + 1, width], { axis: 1 });
    },
    firstToken(tokens) {
      const [images, , width] = tokens.shape as [number, number, number];
      const [start, end, axis] = [0, 1, 1].map((value) => graph.integers([value]));
      return reshape(graph.node("Slice", [tokens, start!, end!, axis!], [images, 1, width]), [images, width]);
    },
  };
}

import type { JournalEntry } from "../../journal.ts";
import type { ConvNormOptions } from "../../ops/contraction/conv-norm.ts";
import { type ConvOptions, marginsOf } from "../../ops/contraction/conv-shape.ts";
import type { BatchNormOptions, BatchNormState } from "../../ops/norm.ts";
import type { Resampling } from "../../ops/pictures/resample.ts";
import type { Tensor } from "../../tensor.ts";
import { OnnxError } from "../errors.ts";
import type { ExportGraph } from "../export-graph.ts";
import { clip } from "./elementwise.ts";
import { detail, type Exporter, type Exporters, told } from "./exporter.ts";

type Pair = readonly [number, number];

function pair(value: number | Pair): Pair {
  return typeof value === "number" ? [value, value] : value;
}

/** [KH, KW, I, O] → [O, I, KH, KW]. */
const weightOrder = [3, 2, 0, 1];

function convolution(
  graph: ExportGraph,
  entry: JournalEntry<Tensor>,
  weight: Tensor,
  bias: Tensor | undefined,
): string {
  const [x] = entry.inputs as [Tensor];
  const [[top, bottom], [left, right]] = marginsOf(told<ConvOptions["padding"]>(entry, "padding") ?? 0);
  const attributes = {
    kernel_shape: weight.shape.slice(0, 2),
    strides: pair(told<number | Pair>(entry, "stride") ?? 1),
    pads: [top, left, bottom, right],
    dilations: pair(told<number | Pair>(entry, "dilation") ?? 1),
    group: told<number>(entry, "groups") ?? 1,
  };
  const inputs = [graph.maps(x), graph.turned(weight, weightOrder), ...(bias ? [graph.plain(bias)] : [])];
  return graph.writer.node("Conv", inputs, attributes);
}

const conv2d: Exporter = (graph, entry) => {
  const [, weight, bias] = entry.inputs as [Tensor, Tensor, Tensor?];
  graph.setMaps(entry.output, convolution(graph, entry, weight, bias));
};

/** Scale, shift, mean and variance of a normalisation in evaluation. */
function normalised(graph: ExportGraph, entry: JournalEntry<Tensor>, x: string): string {
  if (detail<BatchNormOptions>(entry, "options").training)
    throw new OnnxError("a batch norm in training cannot be written as ONNX");
  const { scale, shift, runningMean, runningVariance } = detail<BatchNormState>(entry, "state");
  const inputs = [x, ...[scale, shift, runningMean, runningVariance].map((tensor) => graph.plain(tensor))];
  return graph.writer.node("BatchNormalization", inputs, { epsilon: { float: detail<number>(entry, "epsilon") } });
}

/** A convolution with the normalisation and the activation that the engine makes at once. */
const convNorm: Exporter = (graph, entry) => {
  const { bias, activation, ...options } = detail<ConvNormOptions>(entry, "options");
  const normal = normalised(graph, entry, convolution(graph, { ...entry, details: options }, entry.inputs[1]!, bias));
  const y =
    activation === "relu"
      ? graph.writer.node("Relu", [normal])
      : activation === "relu6"
        ? clip(graph, normal, 0, 6)
        : normal;
  graph.setMaps(entry.output, y);
};

/** Over the last axis of a map, or of rows, which are seen as [N, C]. */
const batchNorm: Exporter = (graph, entry) => {
  const [x] = entry.inputs as [Tensor];
  if (x.rank !== 4) throw new OnnxError(`a batch norm of [${x.shape}] cannot be written as ONNX`);
  const { residual, relu } = detail<BatchNormOptions>(entry, "options");
  const normal = normalised(graph, entry, graph.maps(x));
  const sum = residual ? graph.writer.node("Add", [normal, graph.maps(residual)]) : normal;
  graph.setMaps(entry.output, relu ? graph.writer.node("Relu", [sum]) : sum);
};

function pool(operator: string): Exporter {
  return (graph, entry) => {
    const kernel = pair(detail<number | Pair>(entry, "kernel"));
    const padding = told<number | Pair | readonly [Pair, Pair]>(entry, "padding") ?? 0;
    const [height, width] = typeof padding === "number" ? [padding, padding] : padding;
    const [vertical, horizontal] = [pair(height), pair(width)];
    const attributes = {
      kernel_shape: kernel,
      strides: pair(told<number | Pair>(entry, "stride") ?? kernel),
      pads: [vertical[0], horizontal[0], vertical[1], horizontal[1]],
      ceil_mode: told(entry, "ceilMode") ? 1 : 0,
      ...(operator === "AveragePool"
        ? { count_include_pad: (told(entry, "countPadding") ?? true) ? 1 : 0 }
        : { dilations: pair(told<number | Pair>(entry, "dilation") ?? 1) }),
    };
    graph.setMaps(entry.output, graph.writer.node(operator, [graph.maps(entry.inputs[0]!)], attributes));
  };
}

const globalAveragePool: Exporter = (graph, { inputs, output }) => {
  const pooled = graph.writer.node("GlobalAveragePool", [graph.maps(inputs[0]!)]);
  graph.set(output, graph.writer.node("Flatten", [pooled]));
};

/** A linear map of one axis of pictures: output i is Σ_j matrix[i][j] · input[j]. */
export interface AxisMap {
  readonly axis: 1 | 2;
  readonly inputs: number;
  readonly outputs: number;
  readonly map: () => Resampling;
}

/** Whatever the filter, an axis is multiplied by a matrix: heights from the left, widths from the right. */
const resample: Exporter = (graph, entry) => {
  const maps = detail<readonly AxisMap[]>(entry, "maps");
  const y = maps.reduce((value, { axis, inputs, outputs, map }) => {
    const vertical = axis === 1;
    const { first, weights } = map();
    const matrix = new Float32Array(inputs * outputs);
    weights.forEach((row, i) => {
      row.forEach((weight, t) => {
        const j = first[i]! + t;
        matrix[vertical ? i * inputs + j : j * outputs + i] = weight;
      });
    });
    const shape = vertical ? [outputs, inputs] : [inputs, outputs];
    const constant = graph.writer.constant("resampling", "float32", shape, matrix);
    return graph.writer.node("MatMul", vertical ? [constant, value] : [value, constant]);
  }, graph.maps(entry.inputs[0]!));
  graph.setMaps(entry.output, y);
};

export const mapExporters: Exporters = {
  conv2d,
  convNorm,
  batchNorm,
  maxPool2d: pool("MaxPool"),
  averagePool2d: pool("AveragePool"),
  globalAveragePool,
  resize: resample,
  resizeBicubic: resample,
  adaptiveAveragePool2d: resample,
};

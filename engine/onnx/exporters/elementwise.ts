import type { JournalEntry } from "../../journal.ts";
import type { Tensor } from "../../tensor.ts";
import type { ExportGraph } from "../export-graph.ts";
import { detail, type Exporter, type Exporters, told } from "./exporter.ts";

type Attributes = Parameters<ExportGraph["writer"]["node"]>[2];

/** An operator of ONNX on the same operands. */
function same(operator: string, attributes?: Attributes): Exporter {
  return (graph, { inputs, output }) => {
    const { values, asMaps } = graph.aligned(inputs);
    graph.place(output, graph.writer.node(operator, values, attributes), asMaps);
  };
}

/** An operator of ONNX on two operands, of which one may be a number that stands in the details. */
function ofTwo(operator: string): Exporter {
  return (graph, entry) => {
    const { values, asMaps } = graph.aligned(entry.inputs);
    const number = (name: string) => {
      const given = told<number>(entry, name);
      return given === undefined ? [] : [scalar(graph, given)];
    };
    graph.place(entry.output, graph.writer.node(operator, [...number("a"), ...values, ...number("b")]), asMaps);
  };
}

/** ONNX's numbers of the types float and bool. */
const [float, bool] = [1, 9];

/** A comparison or a connective of two operands as 1 and 0; truths are made of operands first where `ofTruths` says so. */
function truth(operator: string, { negated = false, ofTruths = false } = {}): Exporter {
  return (graph, entry) => {
    const { writer } = graph;
    const { values, asMaps } = graph.aligned(entry.inputs);
    const number = (name: string) => {
      const given = told<number>(entry, name);
      return given === undefined ? [] : [scalar(graph, given)];
    };
    const operands = [...number("a"), ...values, ...number("b")];
    const taken = ofTruths ? operands.map((x) => writer.node("Cast", [x], { to: bool })) : operands;
    const holds = writer.node(operator, taken);
    graph.place(entry.output, asNumber(graph, negated ? writer.node("Not", [holds]) : holds), asMaps);
  };
}

function asNumber({ writer }: ExportGraph, holds: string): string {
  return writer.node("Cast", [holds], { to: float });
}

const where: Exporter = (graph, entry) => {
  const { values, asMaps } = graph.aligned([detail<Tensor>(entry, "condition"), ...entry.inputs]);
  const [condition, ...tensors] = values;
  const operand = (name: string) => {
    const given = told<number>(entry, name);
    return given === undefined ? tensors.shift()! : scalar(graph, given);
  };
  const holds = graph.writer.node("Cast", [condition!], { to: bool });
  graph.place(entry.output, graph.writer.node("Where", [holds, operand("a"), operand("b")]), asMaps);
};

/** A function of the one operand, by several nodes. */
function formula(make: (graph: ExportGraph, x: string, entry: JournalEntry<Tensor>) => string): Exporter {
  return (graph, entry) => {
    const { values, asMaps } = graph.aligned(entry.inputs);
    graph.place(entry.output, make(graph, values[0]!, entry), asMaps);
  };
}

/** One number beside any value. */
function scalar(graph: ExportGraph, number: number): string {
  return graph.writer.constant("number", "float32", [], [number]);
}

/** A number that a function of one number takes. */
function parameter(entry: JournalEntry<Tensor>, name: string): number {
  return detail<Readonly<Record<string, number>>>(entry, "parameters")[name]!;
}

/** Φ(x) = (1 + erf(x / √2)) / 2. */
function normalCdf(graph: ExportGraph, x: string): string {
  const { writer } = graph;
  const erf = writer.node("Erf", [writer.node("Mul", [x, scalar(graph, Math.SQRT1_2)])]);
  return writer.node("Mul", [writer.node("Add", [erf, scalar(graph, 1)]), scalar(graph, 0.5)]);
}

/** x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³))). */
function geluByTanh(graph: ExportGraph, x: string): string {
  const { writer } = graph;
  const cube = writer.node("Mul", [writer.node("Mul", [x, x]), writer.node("Mul", [x, scalar(graph, 0.044715)])]);
  const inner = writer.node("Mul", [writer.node("Add", [x, cube]), scalar(graph, Math.sqrt(2 / Math.PI))]);
  const share = writer.node("Add", [writer.node("Tanh", [inner]), scalar(graph, 1)]);
  return writer.node("Mul", [writer.node("Mul", [x, scalar(graph, 0.5)]), share]);
}

export function clip(graph: ExportGraph, x: string, low: number, high: number): string {
  return graph.writer.node("Clip", [x, scalar(graph, low), scalar(graph, high)]);
}

/** (x − mean) · 1/deviation for each channel of the last axis. */
const normalise: Exporter = (graph, entry) => {
  const { writer } = graph;
  const [x] = entry.inputs as [Tensor];
  const list = (name: string, numbers: readonly number[]) => {
    const shape = graph.liesAsMaps(x) ? [numbers.length, 1, 1] : [numbers.length];
    return writer.constant(name, "float32", shape, numbers);
  };
  const asMaps = graph.liesAsMaps(x);
  const value = asMaps ? graph.maps(x) : graph.plain(x);
  const factors = detail<readonly number[]>(entry, "deviation").map((deviation) => 1 / deviation);
  const centred = writer.node("Sub", [value, list("mean", detail(entry, "mean"))]);
  graph.place(entry.output, writer.node("Mul", [centred, list("factor", factors)]), asMaps);
};

export const elementwiseExporters: Exporters = {
  add: ofTwo("Add"),
  subtract: ofTwo("Sub"),
  multiply: ofTwo("Mul"),
  divide: ofTwo("Div"),
  powerOf: ofTwo("Pow"),
  where,
  equal: truth("Equal"),
  notEqual: truth("Equal", { negated: true }),
  less: truth("Less"),
  lessOrEqual: truth("LessOrEqual"),
  greater: truth("Greater"),
  greaterOrEqual: truth("GreaterOrEqual"),
  logicalAnd: truth("And", { ofTruths: true }),
  logicalOr: truth("Or", { ofTruths: true }),
  logicalXor: truth("Xor", { ofTruths: true }),
  logicalNot: truth("Equal"),
  isInfinite: truth("Equal"),
  isNan: formula((graph, x) => asNumber(graph, graph.writer.node("IsNaN", [x]))),
  relu: same("Relu"),
  relu6: formula((graph, x) => clip(graph, x, 0, 6)),
  sigmoid: same("Sigmoid"),
  tanh: same("Tanh"),
  hardswish: same("HardSwish"),
  exp: same("Exp"),
  log: same("Log"),
  sqrt: same("Sqrt"),
  abs: same("Abs"),
  cast: same("Identity"),
  dropout: same("Identity"),
  square: formula(({ writer }, x) => writer.node("Mul", [x, x])),
  silu: formula(({ writer }, x) => writer.node("Mul", [x, writer.node("Sigmoid", [x])])),
  scale: formula((graph, x, entry) => graph.writer.node("Mul", [x, scalar(graph, detail(entry, "factor"))])),
  pow: formula((graph, x, entry) => graph.writer.node("Pow", [x, scalar(graph, detail(entry, "exponent"))])),
  clamp: formula((graph, x, entry) => clip(graph, x, parameter(entry, "low"), parameter(entry, "high"))),
  normalCdf: formula(normalCdf),
  gelu: formula((graph, x, entry) =>
    told(entry, "name") === "gelu_tanh" ? geluByTanh(graph, x) : graph.writer.node("Mul", [x, normalCdf(graph, x)]),
  ),
  // sign(x) · √(|x| + ε)
  signed_sqrt: formula((graph, x, entry) => {
    const { writer } = graph;
    const size = writer.node("Add", [writer.node("Abs", [x]), scalar(graph, parameter(entry, "epsilon"))]);
    return writer.node("Mul", [writer.node("Sign", [x]), writer.node("Sqrt", [size])]);
  }),
  normalise,
};

import { withoutGradients } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import type { Journal } from "../journal.ts";
import { Tensor } from "../tensor.ts";
import { OnnxError } from "./errors.ts";
import { ExportGraph } from "./export-graph.ts";
import { exporters } from "./exporters/index.ts";
import { GraphWriter } from "./write.ts";

/** Work of the engine that is written down as a graph. */
export interface TracedWork {
  /** Shapes of what goes in, by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Called once with tensors of zeros of these shapes. */
  readonly run: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
}

/**
 * Writes operations of the engine as nodes of ONNX: `run` is called once, and what it calls is written down with the tensors
 * that it reads as constants. Loops and conditions of the host are those of this one call.
 * @param names of values of the graph that the inputs are, where other nodes made them
 * @returns names of the values of the outputs
 * @throws OnnxError for an operation that has no counterpart in ONNX
 */
export async function traceInto(
  writer: GraphWriter,
  device: Device,
  work: TracedWork,
  names: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const journal: Journal<Tensor> = [];
  let constants = new Map<Tensor, Promise<ArrayLike<number>>>();
  let inputs: Record<string, Tensor> = {};
  let outputs: Readonly<Record<string, Tensor>> = {};
  device.scopes.runAndFree(() => {
    inputs = Object.fromEntries(
      Object.entries(work.inputs).map(([name, shape]) => [name, Tensor.zeros(device, shape)]),
    );
    device.journal = journal as Journal;
    try {
      outputs = withoutGradients(() => work.run(inputs));
    } finally {
      device.journal = undefined;
    }
    constants = constantsOf(journal, new Set(Object.values(inputs)));
  });
  const read = new Map<Tensor, ArrayLike<number>>();
  for (const [tensor, numbers] of constants) read.set(tensor, await numbers);
  const graph = new ExportGraph(writer, read);
  for (const [name, tensor] of Object.entries(inputs)) graph.set(tensor, names[name] ?? name);
  for (const entry of journal) {
    const exporter = exporters[entry.operation];
    if (!exporter) throw new OnnxError(`the operation ${entry.operation} cannot be written as ONNX`);
    exporter(graph, entry);
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, graph.plain(tensor)]));
}

/** Starts to read every tensor that operations ask for and that none of them made. */
function constantsOf(journal: Journal<Tensor>, given: ReadonlySet<Tensor>): Map<Tensor, Promise<ArrayLike<number>>> {
  const made = new Set(journal.map(({ output }) => output));
  const constants = new Map<Tensor, Promise<ArrayLike<number>>>();
  for (const { inputs, details } of journal) {
    const further = [details, ...Object.values(details)].flatMap((each) =>
      typeof each === "object" && each !== null ? Object.values(each).filter((value) => value instanceof Tensor) : [],
    );
    for (const tensor of [...inputs, ...further]) {
      if (made.has(tensor) || given.has(tensor) || constants.has(tensor)) continue;
      constants.set(tensor, tensor.dtype === "u32" ? tensor.readIndices() : tensor.read());
    }
  }
  return constants;
}

/** A model in a file of its own: {@link traceInto} with the inputs and outputs of the graph those of the work. */
export async function exportOnnx(
  device: Device,
  work: TracedWork,
  notes: Parameters<GraphWriter["bytes"]>[0],
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = new GraphWriter();
  const names: Record<string, string> = {};
  for (const [name, shape] of Object.entries(work.inputs)) names[name] = writer.input(name, "float32", shape);
  let shapes: Record<string, readonly number[]> = {};
  const run: TracedWork["run"] = (inputs) => {
    const outputs = work.run(inputs);
    shapes = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.shape]));
    return outputs;
  };
  const made = await traceInto(writer, device, { ...work, run }, names);
  for (const [name, value] of Object.entries(made)) {
    const own = writer.node("Identity", [value], {}, name);
    writer.output(own, "float32", shapes[name]!);
  }
  return writer.bytes(notes);
}

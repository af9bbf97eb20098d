import { withoutGradients } from "../autograd.ts";
import type { Device } from "../device/device.ts";
import type { Journal, JournalEntry } from "../journal.ts";
import { Tensor } from "../tensor.ts";
import { OnnxError } from "./errors.ts";
import { ExportGraph } from "./export-graph.ts";
import { elementwiseExporters } from "./exporters/elementwise.ts";
import { exporters } from "./exporters/index.ts";
import { GraphWriter, type ModelNotes } from "./write.ts";

/** Work of the engine that is written down as a graph. */
export interface TracedWork {
  /** Shapes of what goes in, by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Called once with tensors of zeros of these shapes. */
  readonly run: (inputs: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
}

/** A value of a graph that an input of traced work is. */
export interface InputValue {
  readonly value: string;
  /** It is a map as ONNX has it, [N, C, H, W], where the work takes [N, H, W, C]. */
  readonly asMaps?: boolean;
}

/**
 * Writes operations of the engine as nodes of ONNX: `run` is called once, and what it calls is written down, with what it reads
 * or makes of constants alone as constants. Loops and conditions of the host are those of this one call.
 * @param values of the graph that the inputs are, by their names
 * @returns names of the values of the outputs
 * @throws OnnxError for an operation that has no counterpart in ONNX
 */
export async function traceInto(
  writer: GraphWriter,
  device: Device,
  work: TracedWork,
  values: Readonly<Record<string, InputValue>>,
): Promise<Record<string, string>> {
  const { entries, inputs, outputs, constants } = await traced(device, work);
  const graph = new ExportGraph(writer, constants);
  for (const [name, tensor] of Object.entries(inputs)) {
    const { value, asMaps = false } = values[name]!;
    graph.place(tensor, value, asMaps);
  }
  for (const entry of entries) {
    const exporter = exporters[entry.operation];
    if (!exporter) throw new OnnxError(`the operation ${entry.operation} cannot be written as ONNX`);
    exporter(graph, entry);
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, graph.plain(tensor)]));
}

type Named = Readonly<Record<string, Tensor>>;

/** Calls the work: what depends on its inputs, in order, and the numbers of the tensors that this asks for. */
async function traced(device: Device, work: TracedWork) {
  const journal: Journal<Tensor> = [];
  let [inputs, outputs]: [Named, Named] = [{}, {}];
  let entries: Journal<Tensor> = [];
  const reads = new Map<Tensor, Promise<ArrayLike<number>>>();
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
    const variable = new Set(Object.values(inputs));
    const dependent = journal.filter((entry) => {
      const depends = tensorsOf(entry).some((tensor) => variable.has(tensor));
      if (depends) variable.add(entry.output);
      return depends;
    });
    entries = neededFor(Object.values(outputs), dependent);
    for (const { operation, output } of entries)
      if (output.dtype === "i32" || (output.dtype === "u32" && operation in elementwiseExporters))
        throw new OnnxError(
          `${operation} of ${output.dtype} [${output.shape}] has no counterpart here; compute with f32`,
        );
    for (const tensor of [...entries.flatMap(tensorsOf), ...Object.values(outputs)])
      if (!variable.has(tensor) && !reads.has(tensor)) reads.set(tensor, tensor.readElements());
  });
  const constants = new Map<Tensor, ArrayLike<number>>();
  for (const [tensor, numbers] of reads) constants.set(tensor, await numbers);
  return { entries, inputs, outputs, constants };
}

/**
 * The operations that make the outputs. Those that an operation is made of are told before it: of several that tell of one tensor, the
 * last that has a counterpart is taken.
 */
function neededFor(outputs: readonly Tensor[], journal: Journal<Tensor>): Journal<Tensor> {
  const wanted = new Set(outputs);
  const needed: Journal<Tensor> = [];
  for (let i = journal.length - 1; i >= 0; i--) {
    const entry = journal[i]!;
    if (!wanted.has(entry.output)) continue;
    const earlier = journal.slice(0, i).some(({ output }) => output === entry.output);
    if (earlier && !exporters[entry.operation]) continue;
    wanted.delete(entry.output);
    for (const tensor of tensorsOf(entry)) wanted.add(tensor);
    needed.unshift(entry);
  }
  return needed;
}

/** The tensors that an operation was called with, in its inputs or in what it was told beside. */
function tensorsOf({ inputs, details }: JournalEntry<Tensor>): Tensor[] {
  const further = [details, ...Object.values(details)].flatMap((each) =>
    typeof each === "object" && each !== null ? Object.values(each) : [],
  );
  return [...inputs, ...further.filter((value) => value instanceof Tensor)];
}

/**
 * Work of the engine as a model of ONNX (operator set 18): its inputs and outputs are those of the graph, shapes as `inputs` has
 * them, and what it reads otherwise are constants. Loops and conditions of the host are those of one call.
 * @throws OnnxError for an operation that has no counterpart in ONNX
 */
export async function exportOnnx(
  device: Device,
  work: TracedWork,
  notes: ModelNotes = { producer: "acutance", version: "" },
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = new GraphWriter();
  const values: Record<string, InputValue> = {};
  for (const [name, shape] of Object.entries(work.inputs))
    values[name] = { value: writer.input(name, "float32", shape) };
  const shapes = new Map<string, readonly number[]>();
  const run: TracedWork["run"] = (inputs) => {
    const outputs = work.run(inputs);
    for (const [name, { shape }] of Object.entries(outputs)) shapes.set(name, shape);
    return outputs;
  };
  const made = await traceInto(writer, device, { ...work, run }, values);
  for (const [name, value] of Object.entries(made)) {
    const [own] = writer.nodes("Identity", [value], [name]);
    if (own !== name) throw new OnnxError(`"${name}" names an input and an output; give them different names`);
    writer.output(name, "float32", shapes.get(name)!);
  }
  return writer.bytes(notes);
}

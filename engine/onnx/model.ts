import type { Device } from "../device/device.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { type ElementType, isFloat, type Numbers } from "./elements.ts";
import { type MissingOperator, OnnxError, UnsupportedError } from "./errors.ts";
import { Executor, namesUsed, Values } from "./execute.ts";
import type { Described, Graph, Node } from "./graph.ts";
import { operators } from "./operators/index.ts";
import { fusedNodes } from "./passes.ts";
import { Value } from "./value.ts";

/** Numbers in row-major order with their shape. */
export interface OnnxArray {
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
  readonly shape: Shape;
}

/** What an input may be given as: a typed array alone where the model says the shape, with at most one extent unknown. */
export type OnnxInput = Tensor | OnnxArray | ArrayLike<number> | ArrayLike<bigint>;

const executorsOwn = new Set(["If", "Loop"]);

/** Operators of a graph, and of the graphs inside of it, that are not here, with how often it asks for them. */
export function missingOperators(graph: Graph): MissingOperator[] {
  const counts = new Map<string, number>();
  const look = ({ nodes }: Graph) => {
    for (const { operator, attributes } of nodes) {
      if (!Object.hasOwn(operators, operator) && !executorsOwn.has(operator))
        counts.set(operator, (counts.get(operator) ?? 0) + 1);
      for (const attribute of attributes.values())
        if (typeof attribute === "object" && "nodes" in attribute) look(attribute);
    }
  };
  look(graph);
  return [...counts].map(([operator, count]) => ({ operator, count })).sort((a, b) => b.count - a.count);
}

/** A model of ONNX on a device. It owns its constants until `dispose`. */
export class OnnxModel {
  readonly inputs: readonly Described[];
  readonly outputs: readonly Described[];
  readonly device: Device;
  readonly #executor: Executor;
  readonly #constants: Values;
  readonly #nodes: readonly Node[];

  private constructor(device: Device, graph: Graph, executor: Executor, constants: Values, nodes: readonly Node[]) {
    this.device = device;
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.#executor = executor;
    this.#constants = constants;
    this.#nodes = nodes;
  }

  /** Takes a graph in: constants are made, and nodes that need nothing else are done once and for all. */
  static async of(device: Device, graph: Graph, opset: number): Promise<OnnxModel> {
    const missing = missingOperators(graph);
    if (missing.length > 0) {
      const list = missing.map(({ operator, count }) => `${operator} (${count})`).join(", ");
      throw new UnsupportedError(`the model needs operators that are not supported: ${list}`, missing);
    }
    const constants = new Values();
    for (const [name, { type, shape, numbers }] of graph.constants)
      constants.set(name, Value.host(device, type, shape, numbers).keep());
    const executor = new Executor(device, opset);
    const nodes: Node[] = [];
    const fixed = new Set(graph.constants.keys());
    for (const node of fusedNodes(graph)) {
      const foldable = namesUsed(node).every((name) => fixed.has(name)) && !drawing.has(node.operator);
      if (!foldable) {
        nodes.push(node);
        continue;
      }
      const results = await executor.node(node, constants);
      node.outputs.forEach((name, i) => {
        if (name === "" || !results[i]) return;
        fixed.add(name);
        constants.set(name, results[i]);
      });
    }
    const used = new Set([...nodes.flatMap(namesUsed), ...graph.outputs.map(({ name }) => name)]);
    for (const name of fixed) {
      if (used.has(name)) device.owned("parameters", () => constants.get(name)?.settle());
      else constants.end(name);
    }
    return new OnnxModel(device, graph, executor, constants, nodes);
  }

  /**
   * Runs the model. Inputs by their names; see {@link OnnxInput}.
   * @returns the outputs by their names: `await output.read()` brings one to the host, `output.tensor()` is it on the device,
   * `output.dispose()` ends it
   * @throws OnnxError when an input is missing, is not asked for, or is of another shape or type than the model says
   */
  async run(inputs: Readonly<Record<string, OnnxInput>>): Promise<Record<string, Value>> {
    for (const name in inputs) {
      if (!this.inputs.some((input) => input.name === name))
        throw new OnnxError(
          `the model has no input "${name}"; it has ${this.inputs.map((each) => `"${each.name}"`).join(", ")}`,
        );
    }
    const values = new Values(this.#constants);
    const names = this.outputs.map(({ name }) => name);
    try {
      for (const described of this.inputs) values.set(described.name, this.#input(described, inputs[described.name]));
      await this.#executor.run(this.#nodes, values, new Set(names));
      return Object.fromEntries(
        names.map((name) => {
          const value = values.get(name);
          if (!value) throw new OnnxError(`nothing makes output "${name}"`);
          return [name, value.share().keep()];
        }),
      );
    } finally {
      values.endAll();
    }
  }

  #input({ name, type, shape }: Described, given: OnnxInput | undefined): Value {
    if (given === undefined) throw new OnnxError(`input "${name}" is missing`);
    if (given instanceof Tensor) {
      expectShape(name, shape, given.shape);
      return Value.of(type, given.alias()).keep();
    }
    const [data, extents] = "data" in given ? [given.data, given.shape] : [given, known(name, shape, given.length)];
    expectShape(name, shape, extents);
    if (data.length !== sizeOf(extents))
      throw new OnnxError(`input "${name}": ${data.length} elements were given for shape [${extents}]`);
    const numbers: Numbers = Float64Array.from(data as ArrayLike<number>, Number);
    if (!isFloat(type) || numbers.length === 0) return Value.host(this.device, type, extents, numbers).keep();
    return uploaded(this.device, type, extents, Float32Array.from(data as ArrayLike<number>, Number)).keep();
  }

  /** Frees the constants. */
  dispose(): void {
    this.#constants.endAll();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function uploaded(device: Device, type: ElementType, shape: Shape, numbers: Float32Array): Value {
  return Value.of(type, Tensor.from(device, numbers, shape));
}

/** Operators that give something else each time. */
const drawing = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
]);

/** The shape of so many elements where the model leaves at most one extent open. */
function known(name: string, shape: Described["shape"], size: number): number[] {
  const open = shape?.filter((extent) => typeof extent === "string" || extent < 0).length ?? 2;
  if (!shape || open > 1)
    throw new OnnxError(`input "${name}" may have several shapes ([${shape ?? "any"}]); give { data, shape }`);
  const rest = shape.reduce<number>(
    (product, extent) => (typeof extent === "number" && extent >= 0 ? product * extent : product),
    1,
  );
  return shape.map((extent) => (typeof extent === "number" && extent >= 0 ? extent : size / rest));
}

function expectShape(name: string, wanted: Described["shape"], found: Shape): void {
  const fits =
    !wanted ||
    (wanted.length === found.length &&
      wanted.every((extent, i) => typeof extent === "string" || extent < 0 || extent === found[i]));
  if (!fits) throw new OnnxError(`input "${name}" has shape [${found}], the model takes [${wanted}]`);
}

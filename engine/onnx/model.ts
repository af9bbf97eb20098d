import type { Device } from "../device/device.ts";
import { OutOfMemoryError } from "../device/errors.ts";
import { type Shape, sizeOf, Tensor } from "../tensor.ts";
import { type ElementType, isFloat, type Numbers } from "./elements.ts";
import { type MissingOperator, OnnxError, UnsupportedError } from "./errors.ts";
import { Executor, namesUsed, Values } from "./execute.ts";
import type { Described, Graph, Node } from "./graph.ts";
import { operators } from "./operators/index.ts";
import { fusedNodes } from "./passes.ts";
import { type PlannedInput, PlannedRun } from "./planned.ts";
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

/** Runs of different shapes that a model keeps recorded. */
const mostPlans = 4;

/**
 * A model of ONNX on a device. It owns its constants until `dispose`. A run whose inputs are all floats, and which reads nothing on its way, is
 * recorded the second time that inputs of its shapes come, and replayed from then on: of the last four such shapes the memory of a run stays taken,
 * until other work needs it.
 */
export class OnnxModel {
  readonly inputs: readonly Described[];
  readonly outputs: readonly Described[];
  readonly device: Device;
  readonly #executor: Executor;
  readonly #constants: Values;
  readonly #nodes: readonly Node[];
  /** By shapes, the latest used last; undefined for those that came once. */
  readonly #plans = new Map<string, PlannedRun | undefined>();

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
    const names = this.outputs.map(({ name }) => name);
    const planned = this.#planned(inputs);
    if (planned) return planned.results(names);
    const values = new Values(this.#constants);
    const { reads } = this.#executor;
    try {
      for (const described of this.inputs) values.set(described.name, this.#input(described, inputs[described.name]));
      await this.#executor.run(this.#nodes, values, new Set(names));
      // Another run may have read meanwhile: this one is then looked at the next time.
      if (this.#executor.reads === reads) this.#keepPlan(this.#shapesOf(inputs), undefined);
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

  /** The run as it was recorded for inputs of such shapes, done for these; undefined where there is none and none can be made yet. */
  #planned(inputs: Readonly<Record<string, OnnxInput>>): PlannedRun | undefined {
    const shapes = this.#shapesOf(inputs);
    if (shapes === undefined || !this.#plans.has(shapes)) return undefined;
    const given = Object.fromEntries(
      this.inputs.map(({ name, shape }) => [name, plannable(name, shape, inputs[name]!)]),
    );
    let plan = this.#plans.get(shapes);
    if (plan && !plan.disposed) plan.replay(given);
    else {
      plan?.[Symbol.dispose]();
      try {
        plan = this.#record(given);
      } catch (error) {
        this.#plans.delete(shapes);
        if (error instanceof UnsupportedError || error instanceof OutOfMemoryError) return undefined;
        throw error;
      }
    }
    this.#keepPlan(shapes, plan);
    return plan;
  }

  #record(given: Readonly<Record<string, PlannedInput>>): PlannedRun {
    const names = this.outputs.map(({ name }) => name);
    return new PlannedRun(this.device, this.inputs, given, (own) => {
      const values = new Values(this.#constants);
      try {
        for (const [name, value] of own) values.set(name, value);
        this.#executor.runAtOnce(this.#nodes, values, new Set(names));
        return new Map(names.map((name) => [name, values.get(name)!.share().keep()]));
      } finally {
        values.endAll();
      }
    });
  }

  #keepPlan(shapes: string | undefined, plan: PlannedRun | undefined): void {
    if (shapes === undefined) return;
    this.#plans.delete(shapes);
    this.#plans.set(shapes, plan);
    for (const [oldest, other] of this.#plans) {
      if (this.#plans.size <= mostPlans) return;
      other?.[Symbol.dispose]();
      this.#plans.delete(oldest);
    }
  }

  /** What a plan is found by; undefined for a run that cannot be recorded. */
  #shapesOf(inputs: Readonly<Record<string, OnnxInput>>): string | undefined {
    const { stream, journal, numbers } = this.device;
    // Who looks at single operations, or counts them only, does not want a replay.
    if (stream.silent || stream.recorder || journal || numbers) return undefined;
    if (this.#nodes.some(({ operator }) => drawing.has(operator) || executorsOwn.has(operator))) return undefined;
    const all = this.inputs.map(({ name, type, shape }) => {
      const given = inputs[name];
      if (given === undefined || !isFloat(type)) return undefined;
      if (given instanceof Tensor) return given.isFloat && given.size > 0 ? `${given.dtype} ${given.shape}` : undefined;
      const extents = "data" in given ? given.shape : known(name, shape, given.length);
      return sizeOf(extents) > 0 ? `data ${extents}` : undefined;
    });
    return all.includes(undefined) ? undefined : all.join("; ");
  }

  #input({ name, type, shape }: Described, given: OnnxInput | undefined): Value {
    if (given === undefined) throw new OnnxError(`input "${name}" is missing`);
    if (given instanceof Tensor) {
      expectShape(name, shape, given.shape);
      return Value.of(type, given.alias()).keep();
    }
    const [data, extents] = "data" in given ? [given.data, given.shape] : [given, known(name, shape, given.length)];
    expectShape(name, shape, extents);
    expectCount(name, data.length, extents);
    const numbers: Numbers = Float64Array.from(data as ArrayLike<number>, Number);
    if (!isFloat(type)) return Value.host(this.device, type, extents, numbers).keep();
    return uploaded(this.device, type, extents, Float32Array.from(data as ArrayLike<number>, Number)).keep();
  }

  /** Frees the constants and what was recorded. */
  dispose(): void {
    for (const plan of this.#plans.values()) plan?.[Symbol.dispose]();
    this.#plans.clear();
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

/** An input as a plan takes it. @throws OnnxError when its shape is not that of the model, or it has other elements than that */
function plannable(name: string, shape: Described["shape"], given: OnnxInput): PlannedInput {
  if (given instanceof Tensor) {
    expectShape(name, shape, given.shape);
    return given;
  }
  const [data, extents] = "data" in given ? [given.data, given.shape] : [given, known(name, shape, given.length)];
  expectShape(name, shape, extents);
  expectCount(name, data.length, extents);
  return { data: Float32Array.from(data as ArrayLike<number>, Number), shape: extents };
}

function expectCount(name: string, count: number, extents: Shape): void {
  if (count !== sizeOf(extents))
    throw new OnnxError(`input "${name}": ${count} elements were given for shape [${extents}]`);
}

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

import { ShapeError } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { Call, Continuation, type Made } from "./call.ts";
import { OnnxError, UnsupportedError } from "./errors.ts";
import type { Graph, Node } from "./graph.ts";
import { operators } from "./operators/index.ts";
import { NotRead, Value } from "./value.ts";

/** Values by their names in a graph; those of the graphs around it are seen too. */
export class Values {
  readonly #own = new Map<string, Value>();
  readonly #outer: Values | undefined;

  constructor(outer?: Values) {
    this.#outer = outer;
  }

  get(name: string): Value | undefined {
    return this.#own.get(name) ?? this.#outer?.get(name);
  }

  /** Names a value; one that had the name before ends. */
  set(name: string, value: Value): void {
    this.#own.get(name)?.dispose();
    this.#own.set(name, value);
  }

  /** Ends the value of a name of this graph's own. */
  end(name: string): void {
    this.#own.get(name)?.dispose();
    this.#own.delete(name);
  }

  endAll(): void {
    for (const name of [...this.#own.keys()]) this.end(name);
  }
}

/** Names that a node asks for: its inputs, and what graphs inside of it take from around them. */
export function namesUsed(node: Node): string[] {
  const inner = [...node.attributes.values()].flatMap((attribute) =>
    typeof attribute === "object" && "nodes" in attribute ? freeNames(attribute) : [],
  );
  return [...node.inputs.filter((name) => name !== ""), ...inner];
}

/** Names that a graph asks for and does not make. */
function freeNames(graph: Graph): string[] {
  const made = new Set([
    ...graph.constants.keys(),
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const used = [...graph.nodes.flatMap(namesUsed), ...graph.outputs.map(({ name }) => name)];
  return used.filter((name) => !made.has(name));
}

/** Names that end with each node: those that no later one and no name of `kept` asks for. */
function endsOf(nodes: readonly Node[], kept: ReadonlySet<string>): string[][] {
  const last = new Map<string, number>();
  const names = nodes.map((node) => [...new Set([...namesUsed(node), ...node.outputs])]);
  names.forEach((own, i) => {
    for (const name of own) last.set(name, i);
  });
  return names.map((own, i) => own.filter((name) => last.get(name) === i && !kept.has(name)));
}

/** Puts the results of a node among the values, and ends those that nobody asks for any more. */
function put(node: Node, results: readonly (Value | undefined)[], values: Values, ends: readonly string[]): void {
  node.outputs.forEach((name, k) => {
    const value = results[k];
    if (name !== "" && value) values.set(name, value);
    else value?.dispose();
  });
  for (const name of ends) values.end(name);
}

/** Runs nodes in their order, which the specification asks to be such that inputs come before what uses them. */
export class Executor {
  readonly #device: Device;
  readonly #opset: number;
  /** How often something was read from the device, or decided on the host. */
  reads = 0;

  constructor(device: Device, opset: number) {
    this.#device = device;
    this.#opset = opset;
  }

  /** Runs nodes on `values`, where their results stay; those that no later node and no name of `kept` asks for end. */
  async run(nodes: readonly Node[], values: Values, kept: ReadonlySet<string>): Promise<void> {
    const ends = endsOf(nodes, kept);
    for (const [i, node] of nodes.entries()) put(node, await this.node(node, values), values, ends[i]!);
  }

  /** The same at once. @throws UnsupportedError where something must be read from the device */
  runAtOnce(nodes: readonly Node[], values: Values, kept: ReadonlySet<string>): void {
    const ends = endsOf(nodes, kept);
    for (const [i, node] of nodes.entries()) put(node, this.#nodeAtOnce(node, values), values, ends[i]!);
  }

  #nodeAtOnce(node: Node, values: Values): readonly (Value | undefined)[] {
    const operator = operators[node.operator];
    if (!operator) throw new UnsupportedError(`operator ${node.operator} does not run at once`);
    const inputs = node.inputs.map((name) => (name === "" ? undefined : values.get(name)));
    const call = new Call(node, inputs, this.#device, this.#opset);
    try {
      const made = this.#device.labels.within({ layer: node.name }, () => this.#scoped(() => operator(call)));
      if (!(made instanceof Continuation)) return made;
      for (const value of made.held) value.dispose();
    } catch (error) {
      if (!(error instanceof NotRead)) throw located(node, error);
    }
    throw new UnsupportedError(`operator ${node.operator} reads from the device`);
  }

  /** Runs one node; its results are the caller's. */
  async node(node: Node, values: Values): Promise<readonly (Value | undefined)[]> {
    if (node.operator === "If" || node.operator === "Loop") {
      this.reads++;
      return node.operator === "If" ? this.#branch(node, values) : this.#loop(node, values);
    }
    const operator = operators[node.operator];
    if (!operator) throw new UnsupportedError(`operator ${node.operator} is not supported`);
    const inputs = node.inputs.map((name) => {
      if (name === "") return undefined;
      const value = values.get(name);
      if (!value)
        throw new OnnxError(`${node.operator} "${node.name}" asks for "${name}", which nothing makes before it`);
      return value;
    });
    const call = new Call(node, inputs, this.#device, this.#opset);
    for (;;) {
      try {
        const made = this.#device.labels.within({ layer: node.name }, () => this.#scoped(() => operator(call)));
        if (!(made instanceof Continuation)) return made;
        this.reads++;
        try {
          for (const value of made.read) await value.fetch();
          const go = () => this.#scoped(made.go);
          return this.#device.labels.within({ layer: node.name }, go) as readonly (Value | undefined)[];
        } finally {
          for (const value of made.held) value.dispose();
        }
      } catch (error) {
        if (!(error instanceof NotRead)) throw located(node, error);
        if (!inputs.includes(error.value))
          throw new OnnxError(`${node.operator} "${node.name}" read what it made itself`);
        this.reads++;
        await error.value.fetch();
      }
    }
  }

  /** Runs work in a scope that the values it returns outlive. */
  #scoped(work: () => Made | Continuation): readonly (Value | undefined)[] | Continuation {
    let result: readonly (Value | undefined)[] | Continuation = [];
    this.#device.scope(() => {
      const made = work();
      result = made instanceof Value ? [made] : made;
      for (const value of result instanceof Continuation ? result.held : result) value?.keep();
    });
    return result;
  }

  /** The values of the outputs of a graph inside of a node. */
  async #inner(graph: Graph, inputs: readonly Value[], outer: Values): Promise<Value[]> {
    const values = new Values(outer);
    for (const [name, array] of graph.constants)
      values.set(name, Value.host(this.#device, array.type, array.shape, array.numbers).keep());
    graph.inputs.forEach(({ name }, i) => {
      values.set(name, inputs[i]!.share().keep());
    });
    const names = graph.outputs.map(({ name }) => name);
    await this.run(graph.nodes, values, new Set(names));
    const results = names.map((name) => {
      const value = values.get(name);
      if (!value) throw new OnnxError(`nothing makes output "${name}" of a graph inside of a node`);
      return value.share().keep();
    });
    values.endAll();
    return results;
  }

  async #branch(node: Node, values: Values): Promise<Value[]> {
    const call = new Call(node, [values.get(node.inputs[0]!)], this.#device, this.#opset);
    await call.value(0).fetch();
    return this.#inner(call.graph(call.scalar(0) ? "then_branch" : "else_branch"), [], values);
  }

  /** Loop-carried values from turn to turn, then what each turn gave, one behind the other. */
  async #loop(node: Node, values: Values): Promise<Value[]> {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : values.get(name)));
    const call = new Call(node, inputs, this.#device, this.#opset);
    for (const i of [0, 1]) await call.optional(i)?.fetch();
    const body = call.graph("body");
    const most = call.has(0) ? call.scalar(0) : Number.POSITIVE_INFINITY;
    let goesOn = call.has(1) ? call.scalar(1) : 1;
    const carriedCount = body.inputs.length - 2;
    let carried: Value[] = inputs.slice(2).map((value) => value!.share().keep());
    const turns: Value[][] = [];
    for (let turn = 0; turn < most && goesOn; turn++) {
      const counter = call.host("int64", [], [turn]);
      const condition = call.host("bool", [], [goesOn]);
      const [next, ...results] = await this.#inner(body, [counter, condition, ...carried], values);
      for (const value of carried) value.dispose();
      goesOn = (await next!.fetch())[0]!;
      next!.dispose();
      carried = results.slice(0, carriedCount);
      turns.push(results.slice(carriedCount));
    }
    const stacked = (turns[0] ?? []).map((_, k) => {
      const each = turns.map((turn) => turn[k]!);
      return (this.#scoped(() => stack(each)) as readonly Value[])[0]!;
    });
    for (const value of turns.flat()) value.dispose();
    return [...carried, ...stacked];
  }
}

import { joined } from "./operators/parts.ts";
import { reshaped } from "./operators/shape.ts";

function stack(values: readonly Value[]): Value {
  return joined(
    values.map((value) => reshaped(value, [1, ...value.shape])),
    0,
  );
}

/** An error of an operation of the engine, with the node where it came up. */
function located(node: Node, error: unknown): unknown {
  if (!(error instanceof ShapeError || error instanceof RangeError)) return error;
  return new OnnxError(`${node.operator} "${node.name}": ${error.message}`, { cause: error });
}

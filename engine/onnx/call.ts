import type { Device } from "../device/device.ts";
import { type Shape, Tensor } from "../tensor.ts";
import { type ElementType, elementType, type HostArray, type Numbers } from "./elements.ts";
import { OnnxError, UnsupportedError } from "./errors.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { Value } from "./value.ts";

/** Values for the outputs of an operator, undefined for one that is not asked for. */
export type Made = Value | readonly (Value | undefined)[];

/** What an operator does who must know numbers that it made: it is gone on with when they are on the host. */
export class Continuation {
  /** Values that are still asked for then. */
  readonly held: readonly Value[];
  readonly read: readonly Value[];
  readonly go: () => Made;

  constructor(held: readonly Value[], read: readonly Value[], go: () => Made) {
    this.held = held;
    this.read = read;
    this.go = go;
  }
}

export type Operator = (call: Call) => Made | Continuation;

/** Operators by their names in the specification. */
export type Operators = Readonly<Record<string, Operator>>;

/** A node at work: its attributes and the values of its inputs. */
export class Call {
  readonly node: Node;
  readonly device: Device;
  /** Version of the operator set that the model was made for. */
  readonly opset: number;
  readonly #inputs: readonly (Value | undefined)[];

  constructor(node: Node, inputs: readonly (Value | undefined)[], device: Device, opset: number) {
    this.node = node;
    this.device = device;
    this.opset = opset;
    this.#inputs = inputs;
  }

  /** Inputs that are given. */
  get inputs(): readonly Value[] {
    return this.#inputs.filter((input) => input !== undefined);
  }

  has(i: number): boolean {
    return this.#inputs[i] !== undefined;
  }

  optional(i: number): Value | undefined {
    return this.#inputs[i];
  }

  /** @throws OnnxError when the input is left out */
  value(i: number): Value {
    const value = this.#inputs[i];
    if (!value) throw this.error(`input ${i} is missing`);
    return value;
  }

  /** Input i on the device. It belongs to its value. */
  tensor(i: number): Tensor {
    return this.value(i).tensor();
  }

  /** Input i on the host. */
  numbers(i: number): Numbers {
    return this.value(i).numbers();
  }

  /** The one number of input i. */
  scalar(i: number): number {
    return this.numbers(i)[0]!;
  }

  /** True when output i is asked for. */
  wants(i: number): boolean {
    return !!this.node.outputs[i];
  }

  #attribute<T extends Attribute>(name: string, fits: (value: Attribute) => boolean): T | undefined {
    const value = this.node.attributes.get(name);
    if (value === undefined || fits(value)) return value as T | undefined;
    throw this.error(`attribute ${name} is of another kind than the specification says`);
  }

  number(name: string): number | undefined;
  number(name: string, otherwise: number): number;
  number(name: string, otherwise?: number): number | undefined {
    return this.#attribute<number>(name, (value) => typeof value === "number") ?? otherwise;
  }

  flag(name: string, otherwise = false): boolean {
    return this.number(name, otherwise ? 1 : 0) !== 0;
  }

  text(name: string, otherwise: string): string {
    return this.#attribute<string>(name, (value) => typeof value === "string") ?? otherwise;
  }

  list(name: string): readonly number[] | undefined {
    return this.#attribute<readonly number[]>(name, Array.isArray);
  }

  array(name: string): HostArray | undefined {
    return this.#attribute<HostArray>(name, (value) => typeof value === "object" && "numbers" in value);
  }

  graph(name: string): Graph {
    const graph = this.#attribute<Graph>(name, (value) => typeof value === "object" && "nodes" in value);
    if (!graph) throw this.error(`attribute ${name} is missing`);
    return graph;
  }

  /** Whole numbers that newer operator sets take as input i and older ones as an attribute. */
  integers(i: number, attribute?: string): number[] | undefined {
    if (this.has(i)) return Array.from(this.numbers(i));
    const list = attribute === undefined ? undefined : this.list(attribute);
    return list && [...list];
  }

  /** The element type that attribute `name` asks for. */
  type(name: string, otherwise: ElementType): ElementType {
    const code = this.number(name);
    return code === undefined ? otherwise : elementType(code, `attribute ${name} of ${this.node.name}`);
  }

  /** An axis that may count from the last. */
  axis(axis: number, rank: number): number {
    const at = axis < 0 ? axis + rank : axis;
    if (Number.isInteger(at) && at >= 0 && at < rank) return at;
    throw this.error(`there is no axis ${axis} of ${rank}`);
  }

  /** A constant on the device, for the time of this call. */
  constant(numbers: readonly number[], shape: Shape = [numbers.length]): Tensor {
    return Tensor.constant(this.device, Float32Array.from(numbers), shape);
  }

  host(type: ElementType, shape: Shape, numbers: Numbers | readonly number[]): Value {
    return Value.host(this.device, type, shape, numbers);
  }

  error(what: string): OnnxError {
    return new OnnxError(`${this.node.operator} "${this.node.name}": ${what}`);
  }

  /** @returns an error for what the operator may do but does not here */
  unsupported(what: string): UnsupportedError {
    return new UnsupportedError(`${this.node.operator} "${this.node.name}": ${what} is not supported`);
  }
}

import { readFileSync } from "node:fs";
import type { Extents } from "./data.ts";
import { importRival } from "./package-of.ts";

/** An array of an ONNX graph. */
export interface Value {
  readonly name: string;
  readonly shape: Extents;
}

type Attribute = number | readonly number[];

/** The part of protobufjs that is used. */
interface Protobuf {
  parse(
    source: string,
    options: { keepCase: boolean },
  ): {
    root: {
      lookupType(name: string): {
        fromObject(object: object): object;
        encode(message: object): { finish(): Uint8Array };
      };
    };
  };
}

const microsoft = "com.microsoft";
const elementTypes = { f32: 1, i64: 7 } as const;

/** Collects an ONNX graph and writes it as a model file in memory. */
export class OnnxGraph {
  readonly #nodes: object[] = [];
  readonly #weights: object[] = [];
  #count = 0;

  /** A constant of floats. */
  weight(name: string, data: Float32Array<ArrayBuffer>, shape: Extents): Value {
    return this.#constant(name, elementTypes.f32, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), shape);
  }

  /** A constant vector of whole numbers: shapes and positions. */
  integers(values: readonly number[]): Value {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(this.#fresh(), elementTypes.i64, new Uint8Array(data.buffer), [values.length]);
  }

  /**
   * An operator with one output.
   * @param type e.g. `Conv`, or `com.microsoft:MultiHeadAttention`
   * @param attributes whole numbers become INT, others FLOAT; give a float that may be whole in `floats`
   */
  node(
    type: string,
    inputs: readonly Value[],
    shape: Extents,
    attributes: Readonly<Record<string, Attribute>> = {},
    floats: Readonly<Record<string, number>> = {},
  ): Value {
    return this.nodes(type, inputs, [shape], attributes, floats)[0]!;
  }

  /** An operator with an output for each of `shapes`. */
  nodes(
    type: string,
    inputs: readonly Value[],
    shapes: readonly Extents[],
    attributes: Readonly<Record<string, Attribute>> = {},
    floats: Readonly<Record<string, number>> = {},
  ): Value[] {
    const outputs = shapes.map((shape) => ({ name: this.#fresh(), shape }));
    const [domain, name] = type.includes(":") ? (type.split(":") as [string, string]) : ["", type];
    this.#nodes.push({
      op_type: name,
      domain,
      name: this.#fresh(),
      input: inputs.map((input) => input.name),
      output: outputs.map((output) => output.name),
      attribute: [
        ...Object.entries(attributes).map(([key, value]) =>
          typeof value === "number" ? { name: key, i: value, type: "INT" } : { name: key, ints: value, type: "INTS" },
        ),
        ...Object.entries(floats).map(([key, value]) => ({ name: key, f: value, type: "FLOAT" })),
      ],
    });
    return outputs;
  }

  /** The model as bytes. */
  async encode(inputs: readonly Value[], output: Value): Promise<Uint8Array> {
    const protobuf = await importRival<Protobuf>("protobufjs");
    const source = readFileSync(new URL("./onnx.proto", import.meta.url), "utf8");
    const model = protobuf.parse(source, { keepCase: true }).root.lookupType("onnx.ModelProto");
    const described = ({ name, shape }: Value) => ({
      name,
      type: {
        tensor_type: { elem_type: elementTypes.f32, shape: { dim: shape.map((extent) => ({ dim_value: extent })) } },
      },
    });
    const message = model.fromObject({
      ir_version: 9,
      opset_import: [
        { domain: "", version: 20 },
        { domain: microsoft, version: 1 },
      ],
      graph: {
        name: "case",
        node: this.#nodes,
        initializer: this.#weights,
        input: inputs.map(described),
        output: [described(output)],
      },
    });
    return model.encode(message).finish();
  }

  #fresh(): string {
    return `v${this.#count++}`;
  }

  #constant(name: string, type: number, bytes: Uint8Array, shape: Extents): Value {
    this.#weights.push({ name, dims: shape, data_type: type, raw_data: bytes });
    return { name, shape };
  }
}

import { type ElementType, elementCode, toBytes } from "./elements.ts";
import { encode } from "./protobuf.ts";
import { modelMessage, type NodeProto, type TensorProto, type ValueInfoProto } from "./schema.ts";

/** An attribute: whole numbers, texts, or `{ float }`. */
type Given = number | readonly number[] | string | { readonly float: number };

/** Numbers of the specification that are written: its eighth version of files, operator set 18. */
const [irVersion, operatorSet] = [8n, 18n];

/** What a model says of itself. */
export interface ModelNotes {
  readonly producer: string;
  readonly version: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

type Extents = readonly (number | string)[];

/** Collects a graph of ONNX and writes it as a file. */
export class GraphWriter {
  readonly #nodes: Partial<NodeProto>[] = [];
  readonly #constants: Partial<TensorProto>[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #names = new Set<string>();

  /** A name that no value has yet. */
  name(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#names.has(name); i++) name = `${wanted}_${i}`;
    this.#names.add(name);
    return name;
  }

  input(name: string, type: ElementType, shape: Extents): string {
    this.#names.add(name);
    this.#inputs.push(described(name, type, shape));
    return name;
  }

  output(name: string, type: ElementType, shape: Extents): void {
    this.#outputs.push(described(name, type, shape));
  }

  constant(wanted: string, type: ElementType, shape: readonly number[], numbers: ArrayLike<number>): string {
    const name = this.name(wanted);
    this.#constants.push({
      name,
      dims: shape.map(BigInt),
      dataType: elementCode(type),
      rawData: toBytes(type, numbers),
    });
    return name;
  }

  /** A list of whole numbers. */
  integers(numbers: readonly number[], wanted = "integers"): string {
    return this.constant(wanted, "int64", [numbers.length], numbers);
  }

  /** A node with one output, whose name is returned. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Given>> = {},
    wanted = operator,
  ): string {
    return this.nodes(operator, inputs, [wanted], attributes)[0]!;
  }

  /** A node with several outputs. */
  nodes(
    operator: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Given>> = {},
  ): string[] {
    const names = outputs.map((name) => this.name(name));
    const attribute = Object.entries(attributes).map(([name, given]) => ({ name, ...attributeOf(given) }));
    this.#nodes.push({
      opType: operator,
      input: inputs,
      output: names,
      name: names[0]!,
      attribute: attribute as never,
    });
    return names;
  }

  /** The model as the bytes of a file. */
  bytes({ producer, version, description, metadata = {} }: ModelNotes): Uint8Array<ArrayBuffer> {
    return encode(modelMessage, {
      irVersion,
      producerName: producer,
      producerVersion: version,
      docString: description,
      opsetImport: [{ domain: "", version: operatorSet }],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: {
        name: "main",
        node: this.#nodes,
        initializer: this.#constants,
        input: this.#inputs,
        output: this.#outputs,
      },
    });
  }
}

function described(name: string, type: ElementType, shape: Extents): ValueInfoProto {
  const dim = shape.map((extent) => (typeof extent === "string" ? { dimParam: extent } : { dimValue: BigInt(extent) }));
  return { name, type: { tensorType: { elemType: elementCode(type), shape: { dim } } } };
}

const text = new TextEncoder();

function attributeOf(given: Given) {
  if (typeof given === "number") return { i: BigInt(given), type: 2 };
  if (typeof given === "string") return { s: text.encode(given), type: 3 };
  if ("float" in given) return { f: given.float, type: 1 };
  return { ints: given.map(BigInt), type: 7 };
}

import { type ElementType, type ExternalBytes, elementType, type HostArray, hostArray } from "./elements.ts";
import { OnnxError, UnsupportedError } from "./errors.ts";
import type { AttributeProto, GraphProto, NodeProto, ValueInfoProto } from "./schema.ts";

/** An operator in a graph. A name "" among inputs or outputs is one that is left out. */
export interface Node {
  readonly name: string;
  /** As in the specification; with the domain in front, "com.microsoft:Gelu", where it is not ONNX's own. */
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** Whole numbers are held as doubles: those of attributes are small. */
export type Attribute = number | string | readonly number[] | readonly string[] | HostArray | Graph;

/** What goes into a graph or comes out of it. An extent that may vary is a name, or -1 where it has none. */
export interface Described {
  readonly name: string;
  readonly type: ElementType;
  /** Undefined where the model does not say it. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, HostArray>;
  readonly inputs: readonly Described[];
  readonly outputs: readonly Described[];
}

const ownDomains = new Set(["", "ai.onnx"]);

/** The graph of a message. @throws OnnxError for a damaged one, UnsupportedError for types that are not meant */
export function graphOf(proto: GraphProto, external: ExternalBytes): Graph {
  if (proto.sparseInitializer.length > 0)
    throw new UnsupportedError("the model has sparse initialisers, which are not supported");
  const constants = new Map(proto.initializer.map((tensor) => [tensor.name ?? "", hostArray(tensor, external)]));
  const nodes = proto.node.map((node) => nodeOf(node, external));
  // Older files list initialisers among the inputs too.
  const inputs = proto.input.filter(({ name }) => !constants.has(name ?? "")).map((info) => described(info, "input"));
  return { nodes, constants, inputs, outputs: proto.output.map((info) => described(info, "output")) };
}

function described({ name = "", type }: ValueInfoProto, kind: string): Described {
  const whose = `${kind} "${name}"`;
  const other = (["sequenceType", "mapType", "sparseTensorType", "optionalType"] as const).find((each) => type?.[each]);
  if (other) throw new UnsupportedError(`${whose} is a ${other.replace("Type", "")}, and only tensors are supported`);
  const { elemType, shape } = type?.tensorType ?? {};
  const extents = shape?.dim.map(({ dimValue, dimParam }) => dimParam || Number(dimValue ?? -1n));
  // Graphs inside of nodes need not say what they give.
  return { name, type: elemType === undefined ? "float32" : elementType(elemType, whose), shape: extents };
}

export function nodeOf(proto: NodeProto, external: ExternalBytes): Node {
  const { opType = "", domain = "" } = proto;
  return {
    name: proto.name || `${opType} → ${proto.output.join(", ")}`,
    operator: ownDomains.has(domain) ? opType : `${domain}:${opType}`,
    inputs: proto.input,
    outputs: proto.output,
    attributes: new Map(proto.attribute.map((each) => [each.name ?? "", attributeOf(each, external)])),
  };
}

const text = new TextDecoder();

function attributeOf(attribute: AttributeProto, external: ExternalBytes): Attribute {
  const { name, f, i, s, t, g } = attribute;
  if (attribute.refAttrName)
    throw new OnnxError(`attribute "${name}" refers to "${attribute.refAttrName}" of no function`);
  switch (attribute.type) {
    case 1:
      return f ?? 0;
    case 2:
      return Number(i ?? 0n);
    case 3:
      return text.decode(s);
    case 4:
      return hostArray(t!, external);
    case 5:
      return graphOf(g!, external);
    case 6:
      return attribute.floats;
    case 7:
      return attribute.ints.map(Number);
    case 8:
      return attribute.strings.map((each) => text.decode(each));
    default:
      throw new UnsupportedError(`attribute "${name}" is of a kind (${attribute.type}) that is not supported`);
  }
}

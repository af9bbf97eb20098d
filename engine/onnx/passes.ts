import type { HostArray } from "./elements.ts";
import { namesUsed } from "./execute.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { activationName, normEpsilon, turnedWeight } from "./operators/conv.ts";

/** Nodes of a graph that are being put together. */
class Rewriting {
  readonly graph: Graph;
  /** How often a name is asked for; outputs of the graph count too. */
  readonly uses = new Map<string, number>();
  /** The node that asks for a name; the last one where there are several. */
  readonly #user = new Map<string, Node>();
  readonly #maker = new Map<string, Node>();
  /** Initialisers, and what constant nodes hold. */
  readonly #constants: Map<string, HostArray>;
  readonly gone = new Set<Node>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.#constants = new Map(graph.constants);
    for (const node of graph.nodes) {
      for (const name of namesUsed(node)) {
        this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
        this.#user.set(name, node);
      }
      for (const name of node.outputs) this.#maker.set(name, node);
      const value = node.operator === "Constant" ? node.attributes.get("value") : undefined;
      if (typeof value === "object" && "numbers" in value) this.#constants.set(node.outputs[0]!, value);
    }
    for (const { name } of graph.outputs) this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
  }

  /** The node that alone asks for what another gives, where it is of this operator. */
  follower(node: Node, operator: string): Node | undefined {
    const [name] = node.outputs;
    if (this.uses.get(name!) !== 1) return undefined;
    const next = this.#user.get(name!);
    return next?.operator === operator && !this.gone.has(next) ? next : undefined;
  }

  constant(name: string | undefined): HostArray | undefined {
    return name === undefined ? undefined : this.#constants.get(name);
  }

  /** The one number of a constant. */
  scalar(name: string | undefined): number | undefined {
    const array = this.constant(name);
    return array?.numbers.length === 1 ? array.numbers[0] : undefined;
  }

  /** The node that makes a name which nothing else asks for, where it is of this operator. */
  maker(name: string | undefined, operator: string): Node | undefined {
    const node = name === undefined || this.uses.get(name) !== 1 ? undefined : this.#maker.get(name);
    return node?.operator === operator && !this.gone.has(node) ? node : undefined;
  }
}

/**
 * The nodes of a graph, those put together that the engine makes at once: a convolution with the batch normalisation, the
 * addition and the activation behind it, a product with its bias, GELU by its formula. What is done to constants alone is put in
 * front as nodes of its own, which are done once.
 */
export function fusedNodes(graph: Graph): Node[] {
  const rewriting = new Rewriting(graph);
  const placed = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    if (rewriting.gone.has(node)) continue;
    const made = rewritten(rewriting, node);
    if (!made) continue;
    // What is put together stands where its last part stood: by then all that it asks for is there.
    placed.set(made.last, made.nodes);
    if (made.last !== node) rewriting.gone.add(node);
  }
  return graph.nodes.flatMap((node) => placed.get(node) ?? (rewriting.gone.has(node) ? [] : [node]));
}

interface Made {
  readonly nodes: Node[];
  readonly last: Node;
}

function rewritten(rewriting: Rewriting, node: Node): Made | undefined {
  if (node.operator === "Conv") return fusedConvolution(rewriting, node);
  if (node.operator === "ConvTranspose") {
    const turned = turnedConvolution(rewriting, node);
    return turned && { nodes: turned, last: node };
  }
  if (node.operator === "MatMul") return fusedProduct(rewriting, node);
  if (node.operator === "Gemm") return turnedProduct(rewriting, node);
  if (node.operator === "Erf") return fusedGelu(rewriting, node);
  return undefined;
}

function withAttributes(
  node: Node,
  attributes: Readonly<Record<string, Attribute>>,
  changed: Partial<Node> = {},
): Node {
  return { ...node, ...changed, attributes: new Map([...node.attributes, ...Object.entries(attributes)]) };
}

function transposeOf(name: string, order: readonly number[]): Node {
  return {
    name: `${name} turned`,
    operator: "Transpose",
    inputs: [name],
    outputs: [`${name} turned by ${order}`],
    attributes: new Map([["perm", order]]),
  };
}

/** The weight in the order of the engine, [KH, KW, I, O], where it is a constant. */
function turnedConvolution(rewriting: Rewriting, node: Node): Node[] | undefined {
  const weight = rewriting.constant(node.inputs[1]);
  if (!weight) return undefined;
  const turned = transposeOf(node.inputs[1]!, [...weight.shape.map((_, axis) => axis).slice(2), 1, 0]);
  const inputs = node.inputs.with(1, turned.outputs[0]!);
  return [turned, withAttributes(node, { [turnedWeight]: 1 }, { inputs })];
}

function fusedConvolution(rewriting: Rewriting, node: Node): Made | undefined {
  const turned = turnedConvolution(rewriting, node);
  if (!turned) return undefined;
  const [transpose, convolution] = turned as [Node, Node];
  let inputs = [...convolution.inputs];
  const attributes: Record<string, Attribute> = {};
  let last = node;
  const take = (next: Node) => {
    rewriting.gone.add(next);
    last = next;
  };
  const norm = rewriting.follower(node, "BatchNormalization");
  if (norm && !norm.attributes.get("training_mode") && norm.outputs.length === 1) {
    attributes[normEpsilon] = norm.attributes.get("epsilon") ?? 1e-5;
    inputs = [...inputs.slice(0, 2), inputs[2] ?? "", ...norm.inputs.slice(1)];
    take(norm);
    const sum = rewriting.follower(last, "Add");
    const other = sum?.inputs.find((name) => name !== last.outputs[0]);
    if (sum && other !== undefined && !rewriting.constant(other)) {
      inputs.push(other);
      take(sum);
    }
  }
  const activation = activationBehind(rewriting, last);
  if (activation) {
    attributes[activationName] = activation.kind;
    take(activation.node);
  }
  const fused = withAttributes(convolution, attributes, { inputs, outputs: [last.outputs[0]!] });
  return { nodes: [transpose, fused], last };
}

function activationBehind(rewriting: Rewriting, node: Node): { kind: string; node: Node } | undefined {
  const relu = rewriting.follower(node, "Relu");
  if (relu) return { kind: "Relu", node: relu };
  const clip = rewriting.follower(node, "Clip");
  if (!clip) return undefined;
  const end = (i: number, name: string) => rewriting.constant(clip.inputs[i])?.numbers[0] ?? clip.attributes.get(name);
  return end(1, "min") === 0 && end(2, "max") === 6 ? { kind: "Relu6", node: clip } : undefined;
}

/** The other operand of a node of two where one is the name. */
function otherOf(node: Node | undefined, name: string): string | undefined {
  return node?.inputs.find((input) => input !== name);
}

/** x/2 · (1 + erf(x / √2)) in the orders in which it is written: x halved in front, or the product behind. */
function fusedGelu(rewriting: Rewriting, node: Node): Made | undefined {
  const near = (number: number | undefined, wanted: number) => Math.abs((number ?? 0) - wanted) < 1e-4;
  const [argument] = node.inputs;
  const quotient = rewriting.maker(argument, "Div");
  const scaled = quotient ?? rewriting.maker(argument, "Mul");
  const factor = rewriting.scalar(scaled?.inputs[1]);
  const sum = rewriting.follower(node, "Add");
  const product = sum && rewriting.follower(sum, "Mul");
  const fits =
    near(factor, quotient ? Math.SQRT2 : Math.SQRT1_2) && near(rewriting.scalar(otherOf(sum, node.outputs[0]!)), 1);
  if (!scaled || !sum || !product || !fits) return undefined;
  const x = scaled.inputs[0]!;
  const beside = otherOf(product, sum.outputs[0]!);
  const before = rewriting.maker(beside, "Mul");
  const behind = beside === x ? rewriting.follower(product, "Mul") : undefined;
  const halved = before?.inputs.includes(x) ? before : behind;
  const half = rewriting.scalar(otherOf(halved, halved === behind ? product.outputs[0]! : x));
  if (!halved || !near(half, 0.5)) return undefined;
  const last = halved === behind ? halved : product;
  for (const part of [scaled, sum, product, halved]) rewriting.gone.add(part);
  return { nodes: [{ ...node, operator: "Gelu", inputs: [x], outputs: last.outputs }], last };
}

/** A product whose right side is a matrix of constants, with the constant list that is added behind it as input 2. */
function fusedProduct(rewriting: Rewriting, node: Node): Made | undefined {
  const weight = rewriting.constant(node.inputs[1]);
  const sum = rewriting.follower(node, "Add");
  const other = sum?.inputs.find((name) => name !== node.outputs[0]);
  const bias = rewriting.constant(other);
  const fits = weight?.shape.length === 2 && bias?.shape.length === 1 && bias.shape[0] === weight.shape[1];
  if (!sum || !fits) return undefined;
  rewriting.gone.add(sum);
  return { nodes: [{ ...node, inputs: [...node.inputs, other!], outputs: sum.outputs }], last: sum };
}

function turnedProduct(rewriting: Rewriting, node: Node): Made | undefined {
  if (!node.attributes.get("transB") || !rewriting.constant(node.inputs[1])) return undefined;
  const turned = transposeOf(node.inputs[1]!, [1, 0]);
  const inputs = node.inputs.with(1, turned.outputs[0]!);
  return { nodes: [turned, withAttributes(node, { transB: 0 }, { inputs })], last: node };
}

/** Where a tensor came up: from an operation, from its gradient, from an optimiser's update, or from outside. */
export type WorkPhase = "forward" | "backward" | "update" | "input";

/** What was counted in one tensor. */
export interface NumberCount {
  /** Name of the tensor, such as "layer1.0.conv1.weight", when it has one. */
  readonly name: string | undefined;
  readonly shape: readonly number[];
  readonly nans: number;
  readonly infinities: number;
  /** Smallest and largest finite element, undefined when there is none. */
  readonly range: readonly [number, number] | undefined;
}

/** Where a number that is not finite first came up. */
export interface NumberFault extends NumberCount {
  readonly operation: string;
  readonly pass: WorkPhase;
  /** Path of the layer by its named tensors ("layer1.0.conv1"), or "after …" the last such layer before; "" when none is known. */
  readonly layer: string;
  /** In the order of the operation's inputs; backward, the gradient of its output follows. At most sixteen. */
  readonly inputs: readonly NumberCount[];
}

/** The first NaN or infinity since the last read-back, found while numbers were checked. */
export class NumericError extends Error {
  override name = "NumericError";
  readonly fault: NumberFault;
  readonly advice: string;

  constructor(fault: NumberFault) {
    super(sentence(fault));
    this.fault = fault;
    const isGradient = (i: number) => fault.pass === "backward" && i === fault.inputs.length - 1;
    const inputs = fault.inputs.map(
      (input, i) => `  ${isGradient(i) ? "gradient of its output " : ""}${describe(input)}`,
    );
    this.advice = inputs.length > 0 ? `its inputs:\n${inputs.join("\n")}` : "look at where its numbers come from";
  }
}

function sentence(fault: NumberFault): string {
  const { operation, pass, layer, name } = fault;
  const where = layer && ` ${layer.startsWith("after ") ? layer : `of ${layer}`}`;
  const held = `${amounts(fault)} in ${fault.shape.reduce((n, extent) => n * extent, 1)} numbers [${fault.shape}]`;
  if (pass === "input") return `${name ?? "a tensor"} came into ${operation} with ${held}`;
  if (pass === "update") return `the ${operation} update of ${name ?? "a parameter"} left ${held}`;
  if (pass === "forward") return `${operation}${where} gave ${held}`;
  return `the backward pass of ${operation}${where} gave ${held}, the gradient of ${name ?? "an input"}`;
}

function amounts({ nans, infinities }: NumberCount): string {
  return `${nans} NaN and ${infinities} ${infinities === 1 ? "infinity" : "infinities"}`;
}

function describe(count: NumberCount): string {
  const range = count.range ? `finite from ${short(count.range[0])} to ${short(count.range[1])}` : "nothing finite";
  const bad = count.nans + count.infinities > 0 ? `, ${amounts(count)}` : "";
  return `${count.name ? `${count.name} ` : ""}[${count.shape}] ${range}${bad}`;
}

function short(x: number): string {
  return String(Number(x.toPrecision(4)));
}

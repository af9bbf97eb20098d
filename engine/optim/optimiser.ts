import {
  any,
  belowOne,
  type Checks,
  callback,
  expectArgument,
  expectList,
  expectOptions,
  finite,
  flag,
  notNegative,
  object,
  oneOf,
} from "../arguments.ts";
import { withoutGradients } from "../autograd.ts";
import type { Parameter } from "../kernel/argument.ts";
import type { Constants } from "../kernel/template.ts";
import { expectNamed, type NamedTensor } from "../nn/named.ts";
import { add, atLeast, divide, multiply, subtract } from "../ops/arithmetic.ts";
import { sum } from "../ops/reduce.ts";
import { reshape } from "../ops/shape.ts";
import { scale, sqrt, square } from "../ops/unary.ts";
import { Tensor } from "../tensor.ts";
import { GradientState, type GradientStateOptions } from "./gradient-state.ts";
import { overSpans, type ParameterSpan } from "./spans.ts";

/** Parameters that share a learning rate and a weight decay. */
export interface ParameterGroup {
  readonly parameters: readonly NamedTensor[];
  readonly rate: number;
  /** Weight decay; 0 for none. */
  readonly decay: number;
  /** Multiplies the rate beside the factor of the step, asked for in each. @default 1 */
  readonly factor?: () => number;
}

/** The update rule, and what is done to the gradients before it. */
export type OptimiserOptions = UpdateRule & GradientStateOptions;

export type UpdateRule =
  | { readonly kind: "sgd"; readonly momentum?: number; readonly nesterov?: boolean }
  | {
      /** SGD with momentum of gradients that are scaled by layer; see {@link Optimiser}. Not with clipping or loss scaling. */
      readonly kind: "lars";
      readonly momentum?: number;
      /** How far a step takes a layer, as a share of its norm, at a rate of 1. @default 0.001 */
      readonly trust?: number;
    }
  | {
      /** `adam` adds the decay to the gradient, `adamw` shrinks the parameter itself. */
      readonly kind: "adam" | "adamw";
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
    };

const guardChecks: Checks<GradientStateOptions> = { clipNorm: any, lossScale: object };
const groupChecks: Checks<ParameterGroup> = {
  parameters: object,
  rate: notNegative,
  decay: notNegative,
  factor: callback,
};
type RuleOf<Kind> = Extract<UpdateRule, { readonly kind: Kind }>;
const sgdChecks: Checks<RuleOf<"sgd">> = { kind: any, momentum: belowOne, nesterov: flag };
const larsChecks: Checks<RuleOf<"lars">> = { kind: any, momentum: belowOne, trust: notNegative };
const adamChecks: Checks<Exclude<UpdateRule, RuleOf<"sgd"> | RuleOf<"lars">>> = {
  kind: any,
  beta1: belowOne,
  beta2: belowOne,
  epsilon: notNegative,
};
const kinds = oneOf("sgd", "lars", "adam", "adamw");

/** @throws RangeError or TypeError when options or groups mean nothing */
function expectMeaning(groups: readonly ParameterGroup[], options: OptimiserOptions): void {
  expectArgument("Optimiser", "the options", options, object);
  const { kind } = options;
  expectArgument("Optimiser", "kind", kind, kinds);
  const checks = kind === "sgd" ? sgdChecks : kind === "lars" ? larsChecks : adamChecks;
  expectOptions(`Optimiser of kind "${kind}"`, options, { ...guardChecks, ...checks });
  if (kind === "lars" && (options.clipNorm !== undefined || options.lossScale !== undefined))
    throw new RangeError('an optimiser of kind "lars" scales gradients by layer; leave out clipNorm and lossScale');
  expectList("Optimiser", "the groups", groups, object);
  groups.forEach((group, i) => {
    const name = `group ${i} of the optimiser`;
    expectOptions(name, group, groupChecks);
    expectArgument(name, "the rate", group.rate, notNegative);
    expectArgument(name, "the decay", group.decay, notNegative);
    expectList(name, "the parameters", group.parameters, object);
  });
  const parameters = groups.flatMap((group) => group.parameters);
  expectNamed("Optimiser", parameters);
}

/**
 * Updates parameters from their gradients: SGD with momentum (PyTorch's form), Adam, AdamW, or LARS (You et al. 2017, as in MoCo v3): SGD of
 * d · trust · |p| / |d| with d = gradient + decay · p, for all but vectors (biases, norms), which have neither scaling nor decay. The state (velocities or
 * moments, the number of steps, and the gradient state when gradients are clipped or the loss is scaled) can be stored and
 * loaded, so that training continues bit for bit.
 */
export class Optimiser {
  readonly #groups: readonly ParameterGroup[];
  readonly #options: OptimiserOptions;
  readonly #state = new Map<string, NamedTensor>();
  /** Norm, loss scale and skipped steps; undefined when gradients are neither clipped nor scaled. */
  readonly gradientState: GradientState | undefined;
  /** Calls of {@link step} so far, those that the loss scale skipped included. */
  steps = 0;
  #rateFactor = 1;

  /** @throws RangeError when a parameter is given twice, or a number or kind means nothing; TypeError for an unknown option */
  constructor(groups: readonly ParameterGroup[], options: OptimiserOptions) {
    expectMeaning(groups, options);
    this.#groups = groups;
    this.#options = options;
    const parameters = this.#parameters();
    expectDistinct(parameters);
    const device = parameters[0]?.tensor.device;
    const guarded = options.clipNorm !== undefined || options.lossScale !== undefined;
    this.gradientState = device && guarded ? new GradientState(device, options) : undefined;
    for (const { name, tensor, kind } of parameters) {
      for (const slot of slotsOf(options)) {
        const key = `${name}.${slot}`;
        this.#state.set(key, {
          name: key,
          tensor: tensor.device.owned("optimiser", () => Tensor.zeros(tensor.device, tensor.shape).keep()),
          kind,
          role: "statistic",
        });
      }
    }
  }

  /** Gradient of the loss that `backward` starts from: the loss scale, or 1 without loss scaling. */
  seed(): Tensor | number {
    return (this.#options.lossScale && this.gradientState?.seed()) ?? 1;
  }

  /**
   * One update of every parameter that has a gradient, at `rateFactor` times the rate of its group. With clipping or loss
   * scaling a step in which a gradient is infinite or not a number changes no parameter and no moment.
   */
  step(rateFactor = 1): void {
    this.advance(rateFactor);
    const device = this.#parameters()[0]?.tensor.device;
    device?.labels.within({ phase: "optimiser", op: this.#options.kind }, () => this.#record());
  }

  /** The host's part of a step: for one that a plan replays, before the replay. */
  advance(rateFactor = 1): void {
    expectArgument("Optimiser.step", "the factor of the rates", rateFactor, finite);
    this.steps++;
    this.#rateFactor = rateFactor;
  }

  #record(): void {
    const device = this.#parameters()[0]?.tensor.device;
    if (!device) return;
    const work = () => {
      this.gradientState?.update(this.#parameters().flatMap(({ tensor }) => tensor.gradient ?? []));
      const options = this.#options;
      const { kernel, constants, shared, flops } = this.#rule();
      const state = this.gradientState && { state: this.gradientState.tensor };
      const all = { ...constants, STATE: state !== undefined };
      // With a state, the gradient is multiplied with its factor.
      overSpans(device, kernel, all, this.#parts(), shared, state, flops + (state ? 1 : 0));
      for (const { name, tensor } of this.#parameters()) {
        if (!tensor.gradient) continue;
        // A gradient that overflowed by the loss scale is no fault: the kernel has skipped the update.
        const looked = options.lossScale ? [] : [tensor.gradient];
        device.numbers?.examine(options.kind, "update", looked, tensor, name);
      }
    };
    device.scope(() => withoutGradients(work));
  }

  /** Parameters that have a gradient, with their state and the numbers of their group. */
  #parts(): ParameterSpan[] {
    const options = this.#options;
    return this.#groups.flatMap(({ parameters, rate, decay: given, factor }) =>
      parameters.flatMap(({ name, tensor, kind }) => {
        if (!tensor.gradient) return [];
        const byLayer = options.kind === "lars" && kind !== "vector";
        const gradient = byLayer
          ? layerScaled(tensor, tensor.gradient, given, options.trust ?? 0.001)
          : tensor.gradient;
        const decay = options.kind === "lars" ? 0 : given;
        const slots = slotsOf(this.#options).map((slot) => [slot, this.#state.get(`${name}.${slot}`)!.tensor] as const);
        return {
          tensors: { parameter: tensor, gradient, ...Object.fromEntries(slots) },
          parameters: { rate: () => rate * this.#rateFactor * (factor?.() ?? 1), decay },
        };
      }),
    );
  }

  /** Forgets the gradients. */
  clearGradients(): void {
    for (const { tensor } of this.#parameters()) {
      tensor.gradient?.dispose();
      tensor.gradient = undefined;
    }
  }

  /** Velocities or moments and the gradient state, to be stored with a checkpoint. */
  tensors(prefix: string): NamedTensor[] {
    const slots = [...this.#state.values()].map((named) => ({ ...named, name: `${prefix}.${named.name}` }));
    return this.gradientState ? [...slots, this.gradientState.named(`${prefix}.gradient_state`)] : slots;
  }

  /**
   * Forgets velocities or moments and the number of steps, as a new optimiser would.
   * @throws Error when gradients are clipped or the loss is scaled: then the adapter counts the steps
   */
  renew(): void {
    if (this.gradientState) throw new Error("an optimiser that clips or scales cannot be renewed; make another");
    for (const { tensor } of this.#state.values()) tensor.write(new Float32Array(tensor.size));
    this.steps = 0;
  }

  /** Frees the state. */
  dispose(): void {
    for (const { tensor } of this.#state.values()) tensor.dispose();
    this.#state.clear();
    this.gradientState?.dispose();
  }

  #parameters(): NamedTensor[] {
    return this.#groups.flatMap(({ parameters }) => parameters);
  }

  /** The kernel of the update rule, and the numbers that all parameters share. */
  #rule(): { kernel: string; constants: Constants; shared: Record<string, Parameter>; flops: number } {
    const options = this.#options;
    if (options.kind === "sgd" || options.kind === "lars") {
      const { momentum = 0.9 } = options;
      const nesterov = options.kind === "sgd" && options.nesterov === true;
      // Three multiply-adds: decay, momentum, rate; a fourth looks ahead.
      return { kernel: "optim/sgd", constants: { NESTEROV: nesterov }, shared: { momentum }, flops: nesterov ? 8 : 6 };
    }
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
    // With a gradient state only the adapter knows how many steps were taken.
    const corrections: Record<string, Parameter> = this.gradientState
      ? { log_beta1: finiteLog(beta1), log_beta2: finiteLog(beta2) }
      : { correction1: () => 1 - beta1 ** this.steps, correction2: () => 1 - beta2 ** this.steps };
    const constants = { DECOUPLED: options.kind === "adamw" };
    // Decay 2, first moment 3, second moment 4, and rate · (m / c₁) / (√(v / c₂) + ε) from the parameter 7.
    return { kernel: "optim/adam", constants, shared: { beta1, beta2, epsilon, ...corrections }, flops: 16 };
  }
}

/** d · trust · |p| / |d|, d = g + decay · p; d itself where p or d is 0. */
function layerScaled(p: Tensor, g: Tensor, decay: number, trust: number): Tensor {
  const { device } = p;
  const one = Tensor.constant(device, Float32Array.of(1), [1]);
  const least = Tensor.constant(device, Float32Array.of(1e-30), [1]);
  const d = decay > 0 ? add(g, scale(p, decay)) : g;
  const [weights, step] = [p, d].map((x) => reshape(sum(square(x)), [1])) as [Tensor, Tensor];
  // 1 where both norms are above 0.
  const both = multiply(atLeast(weights, least), atLeast(step, least));
  const ratio = scale(sqrt(divide(weights, add(step, subtract(one, both)))), trust);
  return multiply(d, add(multiply(ratio, both), subtract(one, both)));
}

/** State that an update rule keeps for each parameter. */
function slotsOf({ kind }: UpdateRule): readonly string[] {
  return kind === "sgd" || kind === "lars" ? ["velocity"] : ["first", "second"];
}

/** @throws RangeError when a tensor or a name is among the parameters twice: it would be updated twice in a step. */
function expectDistinct(parameters: readonly NamedTensor[]): void {
  const names = new Map<unknown, string>();
  for (const { name, tensor } of parameters) {
    for (const key of [name, tensor.allocation]) {
      const before = names.get(key);
      if (before !== undefined)
        throw new RangeError(
          `the optimiser was given "${name}" and "${before}", which are the same; give each parameter once`,
        );
      names.set(key, name);
    }
  }
}

/** ln x, or for x = 0 a number so small that its exponential is 0 in f32. */
function finiteLog(x: number): number {
  return Math.max(Math.log(x), -1e4);
}

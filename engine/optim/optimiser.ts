import { withoutGradients } from "../autograd.ts";
import type { NamedTensor } from "../nn/named.ts";
import { overElements } from "../ops/elementwise.ts";
import { Tensor } from "../tensor.ts";

/** Parameters that share a learning rate and a weight decay. */
export interface ParameterGroup {
  readonly parameters: readonly NamedTensor[];
  readonly rate: number;
  /** Weight decay; 0 for none. */
  readonly decay: number;
}

export type OptimiserOptions =
  | { readonly kind: "sgd"; readonly momentum?: number; readonly nesterov?: boolean }
  | {
      /** `adam` adds the decay to the gradient, `adamw` shrinks the parameter itself. */
      readonly kind: "adam" | "adamw";
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
    };

/**
 * Updates parameters from their gradients: SGD with momentum (PyTorch's form), Adam or AdamW. The state (velocities or
 * moments, and the number of steps) can be stored and loaded, so that training continues bit for bit.
 */
export class Optimiser {
  readonly #groups: readonly ParameterGroup[];
  readonly #options: OptimiserOptions;
  readonly #state = new Map<string, NamedTensor>();
  /** Updates done so far. */
  steps = 0;

  constructor(groups: readonly ParameterGroup[], options: OptimiserOptions) {
    this.#groups = groups;
    this.#options = options;
    const slots = options.kind === "sgd" ? ["velocity"] : ["first", "second"];
    for (const { name, tensor, kind } of groups.flatMap((group) => group.parameters)) {
      for (const slot of slots) {
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

  /** One update of every parameter that has a gradient, at `rateFactor` times the rate of its group. */
  step(rateFactor = 1): void {
    this.steps++;
    withoutGradients(() => {
      for (const { parameters, rate, decay } of this.#groups) {
        for (const { name, tensor } of parameters) {
          if (tensor.gradient) this.#update(name, tensor, tensor.gradient, rate * rateFactor, decay);
        }
      }
    });
  }

  /** Forgets the gradients. */
  clearGradients(): void {
    for (const { tensor } of this.#groups.flatMap((group) => group.parameters)) {
      tensor.gradient?.dispose();
      tensor.gradient = undefined;
    }
  }

  /** Velocities or moments, to be stored with a checkpoint. */
  tensors(prefix: string): NamedTensor[] {
    return [...this.#state.values()].map((named) => ({ ...named, name: `${prefix}.${named.name}` }));
  }

  /** Frees the state. */
  dispose(): void {
    for (const { tensor } of this.#state.values()) tensor.dispose();
    this.#state.clear();
  }

  #update(name: string, parameter: Tensor, gradient: Tensor, rate: number, decay: number): void {
    const slot = (suffix: string) => this.#state.get(`${name}.${suffix}`)!.tensor;
    const options = this.#options;
    if (options.kind === "sgd") {
      const { momentum = 0.9, nesterov = false } = options;
      const tensors = { parameter, gradient, velocity: slot("velocity") };
      overElements("optim/sgd", { NESTEROV: nesterov }, tensors, { rate, momentum, decay });
      return;
    }
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
    overElements(
      "optim/adam",
      { DECOUPLED: options.kind === "adamw" },
      { parameter, gradient, first: slot("first"), second: slot("second") },
      {
        rate,
        beta1,
        beta2,
        epsilon,
        decay,
        correction1: 1 - beta1 ** this.steps,
        correction2: 1 - beta2 ** this.steps,
      },
    );
  }
}

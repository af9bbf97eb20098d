import { any, type Checks, expectOptions, flag, shown } from "../arguments.ts";
import { withoutGradients } from "../autograd.ts";
import { expectNamed, type NamedTensor } from "../nn/named.ts";
import { ShapeError, Tensor } from "../tensor.ts";
import { overSpans } from "./spans.ts";

export interface AverageOptions {
  /** Share of the average that a step keeps, 0 … below 1, such as 0.999. */
  readonly decay: number;
  /** Early steps keep less: min(decay, (1 + t) / (10 + t)) with t the steps before; true unless given. */
  readonly warmup?: boolean;
}

const checks: Checks<AverageOptions> = { decay: any, warmup: flag };

/**
 * Exponential moving average of the parameters of a network (Polyak & Juditsky 1992, with decay as in Tarvainen & Valpola
 * 2017): average = d · average + (1 − d) · parameter after each step. The warm-up of the decay is that of TensorFlow's
 * `ExponentialMovingAverage`. Statistics (running means and variances, frozen norms) are not averaged: the averaged network
 * has those of the latest step, as PyTorch's `AveragedModel` copies them.
 */
export class WeightAverage {
  readonly #options: Required<AverageOptions>;
  readonly #pairs: readonly { readonly named: NamedTensor; readonly average: Tensor }[];
  /** Whether the averages are this one's to free. */
  readonly #isOwner: boolean;
  #applied = false;
  /** Calls of {@link update} so far. */
  steps = 0;

  /**
   * Starts from the parameters among `tensors` as they are.
   * @param into where the averages lie: tensors of the same shapes and order, such as those of another network, which stay the caller's
   * @throws RangeError when the decay is not within 0 … below 1; ShapeError when `into` does not fit
   */
  constructor(tensors: readonly NamedTensor[], options: AverageOptions, into?: readonly NamedTensor[]) {
    expectOptions("WeightAverage", options, checks);
    expectNamed("WeightAverage", tensors);
    if (into) expectPairs(tensors, into);
    const { decay, warmup = true } = options;
    if (!(typeof decay === "number" && decay >= 0 && decay < 1))
      throw new RangeError(`the decay of an average is from 0 to below 1, found ${shown(decay)}`);
    this.#options = { decay, warmup };
    this.#isOwner = !into;
    this.#pairs = tensors
      .map((named, i) => ({ named, given: into?.[i] }))
      .filter(({ named }) => named.role === "parameter")
      .map(({ named, given }) => {
        const average = given?.tensor ?? Tensor.like(named.tensor).keep();
        copy(named.tensor, average);
        return { named, average };
      });
  }

  /**
   * Takes the parameters after a step into the average.
   * @throws Error while the averages are applied
   */
  update(): void {
    if (this.#applied) throw new Error("the averages are applied; end that before the next update");
    const { decay, warmup } = this.#options;
    const share = () => {
      const t = this.steps - 1;
      return 1 - (warmup ? Math.min(decay, (1 + t) / (10 + t)) : decay);
    };
    this.advance();
    const parts = this.#pairs.map(({ named, average }) => ({ tensors: { average, x: named.tensor } }));
    const device = parts[0]?.tensors.average.device;
    if (!device) return;
    device.labels.within({ phase: "optimiser", op: "average" }, () =>
      withoutGradients(() => overSpans(device, "optim/average", {}, parts, { share }, {}, 3)),
    );
  }

  /** The host's part of an update: for one that a plan replays, before the replay. */
  advance(): void {
    this.steps++;
  }

  /**
   * Puts the averages into the network, for evaluation; ends with `using` or `[Symbol.dispose]`, which puts the parameters
   * back bit for bit. In between this holds the parameters. Not ending it leaves the network averaged for good.
   * @throws Error when the averages are applied already
   */
  applied(): Disposable {
    if (this.#applied) throw new Error("the averages are applied already");
    this.#swap();
    return {
      [Symbol.dispose]: () => {
        if (this.#applied) this.#swap();
      },
    };
  }

  /**
   * The averages, to be stored with a checkpoint; `steps` is to be stored beside them.
   * @throws Error while the averages are applied
   */
  tensors(prefix: string): NamedTensor[] {
    if (this.#applied) throw new Error("the averages are applied; end that before they are stored or loaded");
    return this.#pairs.map(({ named, average }) => ({
      ...named,
      name: `${prefix}.${named.name}`,
      tensor: average,
      role: "statistic",
    }));
  }

  /** Frees the averages, unless they are the caller's. */
  dispose(): void {
    if (!this.#isOwner) return;
    for (const { average } of this.#pairs) average.dispose();
  }

  #swap(): void {
    for (const { named, average } of this.#pairs) {
      using kept = Tensor.like(average);
      copy(average, kept);
      copy(named.tensor, average);
      copy(kept, named.tensor);
    }
    this.#applied = !this.#applied;
  }
}

function expectPairs(tensors: readonly NamedTensor[], into: readonly NamedTensor[]): void {
  expectNamed("WeightAverage", into);
  const fits = (a: Tensor, b: Tensor | undefined) => b && a.dtype === b.dtype && a.shape.join() === b.shape.join();
  const wrong = tensors.find(({ tensor }, i) => !fits(tensor, into[i]?.tensor));
  if (wrong || into.length !== tensors.length)
    throw new ShapeError(
      `WeightAverage: ${into.length} tensors to average into for ${tensors.length}, not all of their shapes${wrong ? `, "${wrong.name}" [${wrong.tensor.shape}] the first` : ""}`,
    );
}

function copy(from: Tensor, to: Tensor): void {
  from.device.stream.copy(from.allocation, 0, to.allocation, 0, from.sizeBytes);
}

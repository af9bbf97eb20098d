import { any, type Checks, expectOptions, shown } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { flatGrid, flatWorkgroup, rowRanges } from "../kernel/grid.ts";
import type { NamedTensor } from "../nn/named.ts";
import { sumAxis } from "../ops/reduce.ts";
import { Tensor } from "../tensor.ts";

/** How the loss scale moves; the defaults are those of PyTorch's `GradScaler`. */
export interface LossScaleOptions {
  /** First scale; 2^16. */
  readonly initial?: number;
  /** Factor after `interval` good steps, above 1; 2. */
  readonly growth?: number;
  /** Factor after a step whose gradients overflowed, below 1; 0.5. */
  readonly backoff?: number;
  /** Good steps without an overflow before the scale grows; 2000. */
  readonly interval?: number;
}

export interface GradientStateOptions {
  /** Largest norm of all gradients together, after unscaling; longer ones are shortened to it. None unless given. */
  readonly clipNorm?: number;
  /** Dynamic loss scaling; none unless given. */
  readonly lossScale?: LossScaleOptions;
}

const scaleChecks: Checks<LossScaleOptions> = { initial: any, growth: any, backoff: any, interval: any };

/** The state after the latest step, read back. */
export interface GradientReport {
  /** Norm of all gradients together, unscaled and before clipping; infinite when they were not finite. */
  readonly norm: number;
  /** Whether the latest step was skipped because a gradient was not finite. */
  readonly skipped: boolean;
  /** Loss scale of the next step; 1 without loss scaling. */
  readonly scale: number;
  /** Steps since the scale last changed. */
  readonly goodSteps: number;
  readonly takenSteps: number;
  readonly skippedSteps: number;
}

/** Vec4s that one invocation adds up. */
const vectorsPerInvocation = 32;

/** Places of the numbers in the buffer, as in `shaders/optim/gradient_state.wgsl`. */
const at = { skip: 1, norm: 2, scale: 3, good: 4, taken: 5, skipped: 6 } as const;
const length = 8;

/**
 * One small buffer between gradients and update: what the gradients are multiplied with (clipping by global norm,
 * Pascanu et al. 2013, and the reciprocal of the loss scale, Micikevicius et al. 2018), and whether the step is skipped
 * because a gradient is infinite or not a number. The optimiser's kernels read it, so the host waits for nothing.
 */
export class GradientState {
  /** [factor, skip, norm, scale, good steps, taken steps, skipped steps, 0]. */
  readonly tensor: Tensor;
  readonly #options: GradientStateOptions;
  readonly #scaling: Required<LossScaleOptions>;

  /** @throws RangeError when a norm, factor, scale or interval is out of its range, with its value */
  constructor(device: Device, options: GradientStateOptions) {
    if (options.lossScale !== undefined) expectOptions("lossScale", options.lossScale, scaleChecks);
    const { initial = 2 ** 16, growth = 2, backoff = 0.5, interval = 2000 } = options.lossScale ?? {};
    const { clipNorm } = options;
    if (clipNorm !== undefined && !(clipNorm > 0 && Number.isFinite(clipNorm)))
      throw new RangeError(`gradients are clipped to a norm above 0, found ${shown(clipNorm)}`);
    if (!(initial >= 2 ** -100 && initial <= 2 ** 100))
      throw new RangeError(`a loss scale lies within 2^-100 … 2^100, found ${initial}`);
    if (!(growth > 1 && growth <= 2 ** 20))
      throw new RangeError(`a loss scale grows by a factor above 1, found ${growth}`);
    if (!(backoff > 0 && backoff < 1))
      throw new RangeError(`a loss scale backs off by a factor below 1, found ${backoff}`);
    if (!Number.isInteger(interval) || interval < 1 || interval > 2 ** 24)
      throw new RangeError(`a loss scale grows after a whole number of steps from 1 to 2^24, found ${interval}`);
    this.#options = options;
    this.#scaling = { initial, growth, backoff, interval };
    const start = new Float32Array(length);
    start[at.scale] = options.lossScale ? initial : 1;
    this.tensor = Tensor.from(device, start, [length]).keep();
  }

  /** The loss scale as the seed of `backward`, [1]; a copy, in the scope at hand. */
  seed(): Tensor {
    const { device } = this.tensor;
    const seed = Tensor.empty(device, [1]);
    device.stream.copy(this.tensor.allocation, at.scale * 4, seed.allocation, 0, 4);
    return seed;
  }

  /** Takes in the gradients of a step: factor, skip and norm are theirs from now on, and the loss scale moves. */
  update(gradients: readonly Tensor[]): void {
    if (gradients.length === 0) return;
    const { device } = this.tensor;
    using sums = squaredSums(gradients, this.tensor);
    device.kernels.run(
      "optim/gradient_state",
      { CLIP: this.#options.clipNorm !== undefined, SCALED: this.#options.lossScale !== undefined },
      { sums: sums.window(), state: this.tensor.window() },
      {
        maximum_norm: this.#options.clipNorm ?? 0,
        growth: this.#scaling.growth,
        backoff: this.#scaling.backoff,
        growth_interval: this.#scaling.interval,
      },
      [1, 1, 1],
      // √Σ and 1 / scale; norm + 1e-6, a division, a minimum and a product; a product and a clamp
      { flops: 2 + (this.#options.clipNorm === undefined ? 0 : 4) + (this.#options.lossScale ? 3 : 0) },
    );
  }

  /** Copies the state to the host; recorded at once, so that later steps do not change what is read. */
  async read(): Promise<GradientReport> {
    const values = await this.tensor.read();
    const skipped = values[at.skip]! !== 0;
    return {
      norm: skipped ? Number.POSITIVE_INFINITY : values[at.norm]!,
      skipped,
      scale: values[at.scale]!,
      goodSteps: values[at.good]!,
      takenSteps: values[at.taken]!,
      skippedSteps: values[at.skipped]!,
    };
  }

  /** The buffer, to be stored with a checkpoint. */
  named(name: string): NamedTensor {
    return { name, tensor: this.tensor, kind: "vector", role: "statistic" };
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

/** (Σ of the squares of all elements / scale², number of elements that are not finite) → [2]. Summed in a fixed order. */
function squaredSums(gradients: readonly Tensor[], state: Tensor): Tensor {
  const { device } = state;
  const slicesOf = (vectors: number) => Math.ceil(vectors / vectorsPerInvocation);
  const windows = gradients.flatMap((gradient) =>
    rowRanges(device, Math.ceil(gradient.size / 4), [4]).map((range) => ({ gradient, ...range })),
  );
  const all = windows.reduce((sum, { count }) => sum + slicesOf(count), 0);
  const sums = Tensor.empty(device, [all, 2]);
  let firstSlice = 0;
  for (const { gradient, start, count } of windows) {
    const slices = slicesOf(count);
    const elements = Math.min(count * 4, gradient.size - start * 4);
    device.kernels.run(
      "optim/squared_sum",
      { WORKGROUP: flatWorkgroup },
      { x: gradient.window(start * 4, count * 4), state: state.window(), sums: sums.window() },
      { count: elements, slices, first_slice: firstSlice },
      flatGrid(device, slices),
      // x / scale, its square, Σ
      { flops: 3 * elements },
    );
    firstSlice += slices;
  }
  if (all === 1) return sums;
  const total = sumAxis(sums, 1, all, 2);
  sums.dispose();
  return total;
}

import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { add, divide, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { concat, slice } from "../../../engine/ops/join.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { atLeastZero, OptionError, wholeFromZero } from "../../options.ts";
import type { HostArray } from "../../training/method.ts";
import { constant } from "./constants.ts";
import { DeviceState, filled, towards } from "./state.ts";

export const momentumShape = {
  momentum: z.number().min(0).lt(1).default(0.999).describe("ρ: what running means keep of themselves at a step"),
};

/** Options of distribution alignment. */
export const alignmentShape = {
  ...momentumShape,
  prior: z
    .enum(["predictions", "labelled", "uniform", "list", "off"])
    .default("uniform")
    .describe(
      "shares of the classes that guesses are led to: as the network predicts labelled pictures, as they are labelled, all alike, those of `priorShares`, or off",
    ),
  priorShares: z
    .array(atLeastZero)
    .default([])
    .describe("with the prior list: a share of the pictures for each class or level, in any unit"),
  alignWindow: wholeFromZero
    .max(10_000)
    .default(0)
    .describe("batches that the mean guess is taken over, all alike at the start; 0 for a running mean"),
};

export type AlignmentOptions = z.infer<z.ZodObject<typeof alignmentShape>>;

/** @throws OptionError when a list does not go with the prior or the classes */
export function expectPrior({ prior, priorShares, levels }: AlignmentOptions & { readonly levels: number }): void {
  const found = `\`priorShares\` ${priorShares.join(",") || "none"}`;
  if (prior !== "list") {
    if (priorShares.length > 0) throw new OptionError(`${found}: read with the \`prior\` list alone; give that`);
    return;
  }
  if (priorShares.length !== levels)
    throw new OptionError(`${found}: there are ${levels} classes (\`levels\`); give a share for each`);
  if (!priorShares.some((share) => share > 0)) throw new OptionError(`${found}: at least one must be above 0`);
}

/** How the means of guesses begin. */
export interface AlignmentStart {
  /** What the batches before the first one count as in a window: guesses that are all alike, or nothing. @default "even" */
  readonly window?: "even" | "empty";
  /** ε. @default 1e-6 */
  readonly epsilon?: number;
}

/**
 * Distribution alignment (Berthelot et al. 2020, ReMixMatch; 2022, AdaMatch): q̃ = norm(q (P + ε) / (P_u + ε)) with P_u the mean guess
 * for unlabelled pictures so far, and P the prior.
 */
export class Alignment {
  readonly #options: AlignmentOptions;
  readonly #prior: Tensor | undefined;
  readonly #state: DeviceState<string>;
  readonly #epsilon: number;

  /** @param labels [L, levels] of the labelled pictures, row-major, each a distribution */
  constructor(
    device: Device,
    options: AlignmentOptions & { readonly levels: number },
    labels: ArrayLike<number> & Iterable<number>,
    { window = "even", epsilon = 1e-6 }: AlignmentStart = {},
  ) {
    this.#options = options;
    this.#epsilon = epsilon;
    const { prior, priorShares, alignWindow, levels } = options;
    const even = filled(1 / levels, [levels]);
    const shares = () => {
      if (prior !== "labelled") return prior === "list" ? priorShares : [...even.data];
      const totals = new Array<number>(levels).fill(0);
      Array.from(labels).forEach((label, i) => {
        totals[i % levels]! += label;
      });
      return totals;
    };
    if (prior === "labelled" || prior === "list" || prior === "uniform")
      this.#prior = Tensor.from(device, normalised(shares()), [levels]).keep();
    const start: Record<string, HostArray> = {
      unlabelled:
        alignWindow > 0 ? filled(window === "even" ? 1 / levels : 0, [alignWindow, levels]) : filled(0, [levels]),
    };
    if (alignWindow === 0) start["kept"] = filled(0, [1]);
    if (prior === "predictions") start["labelled"] = even;
    this.#state = new DeviceState<string>(device, "alignment", start);
  }

  /**
   * Moves the means on by a batch, and aligns its guesses. Has no gradient.
   * @param q [U, m], guesses for unlabelled pictures
   * @param labelled [L, m], those for labelled ones; with none of them their mean stays as it is
   */
  aligned(q: Tensor, labelled?: Tensor): Tensor {
    if (this.#options.prior === "off") return q;
    return withoutGradients(() => {
      this.#move(q, labelled);
      const prior = this.#prior ?? this.#state.get("labelled");
      const ratio = divide(this.#aboveZero(prior), this.#aboveZero(this.#unlabelled));
      const aligned = multiply(q, ratio);
      return divide(aligned, reshape(sum(aligned, 1), [q.shape[0]!, 1]));
    });
  }

  /** P_u, [m]. */
  get #unlabelled(): Tensor {
    const state = this.#state.get("unlabelled");
    return this.#options.alignWindow > 0 ? mean(state, 0) : state;
  }

  #move(q: Tensor, labelled: Tensor | undefined): void {
    const { momentum, alignWindow: window } = this.#options;
    const state = this.#state;
    const old = state.get("unlabelled");
    const batch = mean(q, 0);
    if (window > 0) {
      const row = reshape(batch, [1, batch.size]);
      const rest = window > 1 ? [slice(old, [1, 0], [window, batch.size])] : [];
      state.move({ unlabelled: concat([...rest, row]) });
    } else {
      // Nothing is kept of what was before the first batch.
      state.move({
        unlabelled: towards(old, batch, subtract(constant(q, 1), state.get("kept"))),
        kept: constant(q, momentum),
      });
    }
    if (!this.#prior && labelled)
      state.move({ labelled: towards(state.get("labelled"), mean(labelled, 0), 1 - momentum) });
  }

  #aboveZero(shares: Tensor): Tensor {
    return add(shares, constant(shares, this.#epsilon));
  }

  tensors() {
    return this.#options.prior === "off" ? [] : this.#state.tensors();
  }

  dispose(): void {
    this.#prior?.dispose();
    this.#state.dispose();
  }
}

function normalised(shares: readonly number[]): Float32Array<ArrayBuffer> {
  const total = shares.reduce((sum, share) => sum + share, 0);
  return Float32Array.from(shares, (share) => share / total);
}

import { belowOne, type Checks, expectArgument, expectOptions, share, whole } from "../../engine/arguments.ts";
import { arrangePacked } from "../../engine/ops/pictures/arrange.ts";
import { changeLevels } from "../../engine/ops/pictures/levels.ts";
import { Random } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  type CtPolicy,
  type CtRates,
  type CtSettings,
  drawnPolicy,
  grey,
  learntRates,
  packedRates,
  policyOperations,
  probePolicy,
  startRates,
  unpackedRates,
} from "./ctaugment-policy.ts";
import { squareAnywhere } from "./quality-views.ts";
import { expectViews, type ViewOptions } from "./strong.ts";

const checks: Checks<CtSettings> = { decay: belowOne, threshold: share, depth: whole(1) };

/**
 * CTAugment (Berthelot et al. 2020, as FixMatch has it): strong views by two of 19 operations, whose strengths are drawn from bins that the
 * network knows pictures by, and a grey square of half the side. What it knows is learnt from probes: labelled pictures changed by uniform
 * draws, of which the network says how near it comes to the label. A view depends on its picture, its seed and the rates alone.
 */
export class CtAugment {
  readonly settings: CtSettings;
  #rates: CtRates;

  /** @param settings a decay of 0.99, a threshold of 0.8 and two operations unless given */
  constructor(settings: Partial<CtSettings> = {}, rates: CtRates = startRates()) {
    this.settings = { decay: 0.99, threshold: 0.8, depth: 2, ...settings };
    expectOptions("CtAugment", this.settings, checks);
    this.#rates = rates;
  }

  /** Plain JSON, given again to the constructor. */
  get rates(): CtRates {
    return this.#rates;
  }

  /** The rates in a row, bit for bit what {@link restore} goes on from. */
  get packed(): Float32Array<ArrayBuffer> {
    return packedRates(this.#rates);
  }

  /** @throws RangeError when they are not as many as there are rates */
  restore(packed: Float32Array): void {
    this.#rates = unpackedRates(packed);
  }

  /** Strong views. pictures: [N, R, R, 3] f32 in [0, 1] → [N, crop, crop, 3]. Not differentiable. @throws as strongViews */
  views(pictures: Tensor, options: ViewOptions): Tensor {
    const drawn = (seed: number) => drawnPolicy(this.#rates, stream(seed, "policy"), this.settings);
    return changed(pictures, options, drawn, true).views;
  }

  /** Views of labelled pictures by uniform draws, for {@link learn} and no loss. @throws as strongViews */
  probes(pictures: Tensor, options: ViewOptions): { readonly views: Tensor; readonly policies: readonly CtPolicy[] } {
    return changed(pictures, options, (seed) => probePolicy(stream(seed, "probe"), this.settings), false);
  }

  /** @param proximities of the network's probabilities for each probe to its label, 0 to 1, by `proximity` */
  learn(policies: readonly CtPolicy[], proximities: readonly number[]): void {
    policies.forEach((policy, n) => {
      expectArgument("CtAugment.learn", `proximities[${n}]`, proximities[n], share);
      this.#rates = learntRates(this.#rates, policy, proximities[n]!, this.settings);
    });
    this.restore(this.packed);
  }
}

const stream = (seed: number, name: string) => new Random(seed, `CTAugment ${name}`);

function changed(pictures: Tensor, options: ViewOptions, policyOf: (seed: number) => CtPolicy, hole: boolean) {
  const { crop, seeds } = options;
  const size = expectViews("CtAugment", pictures, options);
  const arrangements = seeds.map((seed) => {
    const random = stream(seed, "crop");
    return { part: squareAnywhere(random, size, crop), flip: random.uniform() < 0.5 };
  });
  const policies = seeds.map(policyOf);
  const changes = policies.map((policy, n) => {
    const place = { side: crop, random: stream(seeds[n]!, "places") };
    return [...policyOperations(policy, place), ...(hole ? [grey([1], place)] : [])];
  });
  const views = pictures.device.scope(() => changeLevels(arrangePacked(pictures, arrangements, crop), changes));
  return { views, policies };
}

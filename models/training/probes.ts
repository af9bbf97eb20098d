import { withoutGradients } from "../../engine/autograd.ts";
import { stack } from "../../engine/ops/pictures/image.ts";
import type { WeightAverage } from "../../engine/optim/average.ts";
import { Random } from "../../engine/random.ts";
import type { QualityNetwork } from "../networks/model.ts";
import type { CtAugment } from "../views/ctaugment.ts";
import { proximity } from "../views/ctaugment-policy.ts";
import type { Inputs } from "../views/inputs.ts";
import type { StepPicture } from "./batches.ts";
import type { PhaseRun } from "./method.ts";

/** Figure: how near the network comes to the labels of changed pictures, 0 to 1, in the mean over a step's. */
export const probed = "proximity of probes";

/** What probes need to know beside the pictures. */
export interface ProbeSettings {
  /** [labelled, length], row-major. */
  readonly labels: Float32Array;
  readonly seed: number;
}

/**
 * Has the strong views of the set ctaugment learn: after each step the labelled pictures of its batch are changed by uniform draws and
 * shown to the network in evaluation mode, with its averaged weights where there are such.
 */
export class Probes {
  readonly #augment: CtAugment;
  readonly #model: QualityNetwork;
  readonly #inputs: Inputs;
  readonly #settings: ProbeSettings;

  constructor(augment: CtAugment, model: QualityNetwork, inputs: Inputs, settings: ProbeSettings) {
    this.#augment = augment;
    this.#model = model;
    this.#inputs = inputs;
    this.#settings = settings;
  }

  /**
   * Views made before do not change, those made from now on do.
   * @param place names the step among all of the training
   * @returns figures of the step
   */
  async learn(
    pictures: readonly StepPicture[],
    place: string,
    average: WeightAverage | undefined,
  ): Promise<Readonly<Record<string, number>>> {
    const known = pictures.filter(({ planned }) => planned.part === "labelled" && planned.strong === undefined);
    if (known.length === 0) return {};
    const random = new Random(this.#settings.seed, `probes, ${place}`);
    const seeds = known.map(() => random.integer(2 ** 32));
    const { crop } = this.#model.options;
    const { policies, read } = this.#model.device.scope(() =>
      withoutGradients(() => {
        using _ = average?.applied();
        const { views, policies } = this.#augment.probes(stack(known.map(({ tensor }) => tensor!)), { crop, seeds });
        return { policies, read: this.#model.head.answers(this.#inputs.forward(views, false).logits).read() };
      }),
    );
    const answers = await read;
    const length = answers.length / known.length;
    const row = (of: Float32Array, i: number) => of.subarray(i * length, (i + 1) * length);
    const near = known.map(({ planned }, i) => proximity(row(answers, i), row(this.#settings.labels, planned.index)));
    // A network that gives NaN says nothing of its views; shares that add up to a little more than 1 do.
    const sound = near.flatMap((value, i) => (Number.isFinite(value) ? { value: Math.max(0, value), i } : []));
    this.#augment.learn(
      sound.map(({ i }) => policies[i]!),
      sound.map(({ value }) => value),
    );
    return sound.length > 0 ? { [probed]: sound.reduce((sum, { value }) => sum + value, 0) / sound.length } : {};
  }

  /** For a checkpoint, as a phase has them. */
  arrays(): ReturnType<NonNullable<PhaseRun["arrays"]>> {
    const data = this.#augment.packed;
    return { "ctaugment.rates": { data, shape: [data.length] } };
  }

  async restore(read: Parameters<NonNullable<PhaseRun["restore"]>>[0]): Promise<void> {
    const data = await read("ctaugment.rates");
    if (data) this.#augment.restore(data);
  }
}

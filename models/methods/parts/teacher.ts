import { z } from "zod";
import { withoutGradients } from "../../../engine/autograd.ts";
import { type NamedTensor, nameTensors } from "../../../engine/nn/named.ts";
import { WeightAverage } from "../../../engine/optim/average.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { type Outputs, QualityNetwork } from "../../networks/model.ts";
import type { Inputs } from "../../views/inputs.ts";
import type { Held } from "./with-unlabelled.ts";

/** Options of a {@link Teacher}. */
export const teacherShape = {
  teacher: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      "share of its weights that a teacher, a moving average of the network, keeps at a step; 0 for no teacher",
    ),
};

/** What a network and the modules beside it learn. */
interface Learner {
  readonly model: QualityNetwork;
  readonly modules: readonly Held[];
}

/**
 * A network whose weights are a moving average of a student's (Tarvainen & Valpola 2017): θ' ← m θ' + (1 − m) θ after each step, with
 * the student's statistics (running means and variances). It answers in evaluation mode. Starts as the student is.
 */
export class Teacher implements Held {
  readonly network: QualityNetwork;
  readonly #modules: readonly Held[];
  readonly #average: WeightAverage;
  /** Tensors that are copied: of the student, of the teacher. */
  readonly #copied: readonly (readonly [Tensor, Tensor])[];

  /** @param modules of the teacher, in the order of the student's and of the same shapes @param momentum m, 0 … below 1 */
  constructor(student: Learner, modules: readonly Held[], momentum: number) {
    const { model } = student;
    this.network = new QualityNetwork(model.device, model.options, "zero");
    this.network.freezeNorms(model.frozenNorms);
    this.#modules = modules;
    const named = (learner: Learner) => [
      ...learner.model.tensors(),
      ...learner.modules.flatMap((module) => module.tensors()),
    ];
    const [from, to] = [named(student), named({ model: this.network, modules })];
    for (const [i, { tensor }] of from.entries()) copy(tensor, to[i]!.tensor);
    nameTensors(this.network.tensors());
    const { frozenNames } = model;
    const learns = ({ name, role }: NamedTensor) => role === "parameter" && !frozenNames.has(name);
    this.#average = new WeightAverage(from.filter(learns), { decay: momentum, warmup: false }, to.filter(learns));
    this.#copied = from.flatMap(({ tensor, role }, i) =>
      role === "statistic" ? [[tensor, to[i]!.tensor] as const] : [],
    );
  }

  /** What it makes of rows of a micro-batch, as the inputs gave it; without gradients. */
  answers(inputs: Inputs, input: Tensor): Outputs {
    return withoutGradients(() => inputs.forward(input, false, this.network));
  }

  /** Recorded after the student was updated. */
  update(): void {
    withoutGradients(() => this.#average.update());
    this.takeStatistics();
  }

  /** Takes the statistics of the student, which may be set when a training begins. */
  takeStatistics(): void {
    for (const [from, to] of this.#copied) copy(from, to);
  }

  tensors(): NamedTensor[] {
    return this.#average.tensors("teacher");
  }

  dispose(): void {
    this.network.dispose();
    for (const module of this.#modules) module.dispose();
  }
}

function copy(from: Tensor, to: Tensor): void {
  from.device.stream.copy(from.allocation, 0, to.allocation, 0, from.sizeBytes);
}

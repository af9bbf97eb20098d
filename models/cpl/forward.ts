import { withoutGradients } from "../../engine/autograd.ts";
import type { Plan } from "../../engine/kernel/plan.ts";
import { centerCrop, stack } from "../../engine/ops/image.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { CplModel } from "./model.ts";

type Outputs = ReturnType<CplModel["forward"]>;

/**
 * Batches of pictures forward through a model in evaluation mode. From the third full batch on it is the replay of a plan,
 * to the same bits; others are recorded.
 */
export class Forward {
  readonly #model: CplModel;
  readonly #full: number;
  readonly #output: (outputs: Outputs) => Tensor;
  /** Full batches that were recorded. */
  #recorded = 0;
  #tunings = 0;
  #pictures: Tensor | undefined;
  #plan: Plan<Tensor> | undefined;

  /**
   * @param full pictures of a full batch
   * @param output what is wanted of the model's outputs
   */
  constructor(model: CplModel, full: number, output: (outputs: Outputs) => Tensor) {
    this.#model = model;
    this.#full = full;
    this.#output = output;
  }

  /**
   * Records a batch and what `use` does with its output, and hands it over; nothing waits.
   * @param pictures [1, resize, resize, 3] each; they may end when this returns
   * @param use must record all that reads the output, which the next batch overwrites
   * @returns what `use` returns
   */
  run<T>(pictures: readonly Tensor[], use: (output: Tensor) => T): T {
    const { device } = this.#model;
    const { value } = device.scope(() =>
      withoutGradients(() => {
        if (pictures.length === this.#full) return { value: use(this.#fullBatch(pictures)) };
        // The buffers of the plan serve this pass, so that it needs no more memory than a full batch.
        this.dispose();
        return { value: use(this.#pass(this.#centre(pictures))) };
      }),
    );
    device.stream.flush();
    return value;
  }

  /** Ends the plan and its inputs. */
  dispose(): void {
    this.#plan?.dispose();
    this.#pictures?.dispose();
    this.#plan = this.#pictures = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #fullBatch(pictures: readonly Tensor[]): Tensor {
    const { device } = this.#model;
    const centres = device.owned("pictures", () => this.#centre(pictures));
    const tunings = device.tuner.tunings.length;
    // A plan runs what the tuner had chosen when it was made.
    if (this.#plan && tunings !== this.#tunings) this.#plan.dispose();
    if (this.#plan?.disposed) this.dispose();
    this.#tunings = tunings;
    if (device.numbers || this.#recorded++ === 0) return this.#pass(centres);
    if (this.#pictures) device.stream.copy(centres.allocation, 0, this.#pictures.allocation, 0, centres.sizeBytes);
    else this.#pictures = centres.keep();
    if (this.#plan) this.#plan.replay();
    else {
      const input = this.#pictures;
      this.#plan = device.trace(() => this.#pass(input), { yielding: true });
    }
    return this.#plan.result;
  }

  #pass(pictures: Tensor): Tensor {
    return this.#output(this.#model.forward(pictures, false));
  }

  /** Centre crops of resized pictures as one batch. */
  #centre(pictures: readonly Tensor[]): Tensor {
    const { crop } = this.#model.options;
    return this.#model.device.labels.within({ phase: "input" }, () => centerCrop(stack(pictures), crop, crop));
  }
}

import type { Device } from "../../engine/device/device.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { Inputs } from "../views/inputs.ts";
import type { StepPicture } from "./batches.ts";
import type { Targets } from "./method.ts";

/** The tensors that steps of one make-up read, filled anew for each of them. */
export class StepInputs {
  /** As the inputs give it: [B, …], or of the rows that this process takes through the network. */
  readonly pictures: Tensor;
  /** What the task's loss reads beside the outputs. */
  readonly targets: Readonly<Record<string, Tensor>>;
  readonly #device: Device;
  readonly #inputs: Inputs;

  constructor(device: Device, inputs: Inputs, pictures: readonly StepPicture[], targets: Targets) {
    this.#device = device;
    this.#inputs = inputs;
    const make = () =>
      [
        device.scope(() => this.#assembled(pictures)).keep(),
        Object.fromEntries(
          Object.entries(targets).map(([name, { data, shape }]) => [name, Tensor.from(device, data, shape).keep()]),
        ),
      ] as const;
    [this.pictures, this.targets] = device.labels.within({ phase: "input" }, () => device.owned("pictures", make));
  }

  refill(pictures: readonly StepPicture[], targets: Targets): void {
    const device = this.#device;
    const refill = () => {
      const { allocation, sizeBytes } = this.#assembled(pictures);
      device.stream.copy(allocation, 0, this.pictures.allocation, 0, sizeBytes);
    };
    device.labels.within({ phase: "input" }, () => device.scope(refill));
    for (const [name, { data }] of Object.entries(targets)) this.targets[name]!.write(data);
  }

  #assembled(pictures: readonly StepPicture[]): Tensor {
    return this.#inputs.assemble(
      pictures.map(({ planned: { window, tokens, strong, quarters }, tensor }) => ({
        ...{ tensor: tensor!, window, tokens, strong, quarters },
      })),
    );
  }

  dispose(): void {
    this.pictures.dispose();
    for (const tensor of Object.values(this.targets)) tensor.dispose();
  }
}

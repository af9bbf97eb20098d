import type { Device } from "../device/device.ts";
import type { Plan } from "../kernel/plan.ts";
import { Tensor } from "../tensor.ts";
import type { Described } from "./graph.ts";
import { Value } from "./value.ts";

/** What an input of a run is given as: elements of f32, or a tensor of the device. */
export type PlannedInput = Tensor | { readonly data: Float32Array; readonly shape: readonly number[] };

/** A run of a model that was recorded for inputs of such shapes, and is done again for others of the same. */
export class PlannedRun implements Disposable {
  readonly #inputs = new Map<string, Tensor>();
  readonly #plan: Plan<void>;
  readonly #results = new Map<string, Value>();

  /**
   * Runs and records.
   * @param work runs the nodes on the values of the inputs; its results are kept by names
   * @throws what `work` throws; nothing is left then
   */
  constructor(
    device: Device,
    described: readonly Described[],
    inputs: Readonly<Record<string, PlannedInput>>,
    work: (values: ReadonlyMap<string, Value>) => ReadonlyMap<string, Value>,
  ) {
    for (const { name } of described) {
      const given = inputs[name]!;
      const dtype = given instanceof Tensor ? given.dtype : "f32";
      this.#inputs.set(name, Tensor.empty(device, given.shape, dtype).keep());
    }
    this.#fill(inputs);
    try {
      this.#plan = device.trace(
        () => {
          const values = described.map(
            ({ name, type }) => [name, Value.of(type, this.#inputs.get(name)!.alias()).keep()] as const,
          );
          for (const [name, value] of work(new Map(values))) this.#results.set(name, value);
        },
        { yielding: true },
      );
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** Whether it can no longer be done, as others needed its memory. */
  get disposed(): boolean {
    return this.#plan.disposed;
  }

  /** Does it again with other elements. */
  replay(inputs: Readonly<Record<string, PlannedInput>>): void {
    this.#fill(inputs);
    this.#plan.replay();
  }

  /** The results as they are now, which are the caller's. */
  results(names: readonly string[]): Record<string, Value> {
    return Object.fromEntries(names.map((name) => [name, this.#results.get(name)!.copy().keep()]));
  }

  #fill(inputs: Readonly<Record<string, PlannedInput>>): void {
    for (const [name, own] of this.#inputs) {
      const given = inputs[name]!;
      if (given instanceof Tensor) {
        const bytes = Math.ceil(own.sizeBytes / 4) * 4;
        own.device.stream.copy(given.allocation, 0, own.allocation, 0, bytes);
      } else own.write(given.data);
    }
  }

  #end(): void {
    for (const value of this.#results.values()) value.dispose();
    for (const tensor of this.#inputs.values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.#end();
    this.#plan.dispose();
  }
}

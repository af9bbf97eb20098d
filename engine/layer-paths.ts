import type { Tensor } from "./tensor.ts";

/** Which layer tensors belong to, as far as named tensors tell. */
export class LayerPaths {
  readonly #paths = new WeakMap<Tensor, string>();

  /**
   * Path of the layer of an operation on these inputs: that of the first one with a name ("layer1.0.conv1"), else "after …"
   * the layer that one of them came from; "" when none is known.
   */
  of(inputs: readonly Tensor[]): string {
    const name = inputs.find((input) => input.name)?.name;
    if (name) return pathOf(name);
    const before = inputs.map((input) => this.#paths.get(input)).find((path) => path);
    return before === undefined || before.startsWith("after ") ? (before ?? "") : `after ${before}`;
  }

  /** Notes that an operation of that layer made a tensor. */
  note(output: Tensor, path: string): void {
    this.#paths.set(output, path);
  }
}

/** "layer1.0.conv1.weight" → "layer1.0.conv1"; a name without a dot stays. */
export function pathOf(name: string | undefined): string {
  return name?.replace(/\.[^.]*$/, "") ?? "";
}

/** A tensor, as far as it is asked for here. */
export interface Named {
  readonly name: string | undefined;
}

/** Which layer tensors belong to, as far as named tensors tell. */
export class LayerPaths {
  readonly #paths = new WeakMap<Named, string>();

  /**
   * Path of the layer of an operation on these inputs: that of the first one with a name ("layer1.0.conv1"), else "after …"
   * the layer that one of them came from; "" when none is known.
   * @param block of layers that is at work: the path where unnamed inputs came from several layers, as at the end of a
   * shortcut, which belongs to none of them
   */
  of(inputs: readonly Named[], block?: string): string {
    const name = inputs.find((input) => input.name)?.name;
    if (name) return pathOf(name);
    const origins = inputs.map((input) => this.#paths.get(input)).filter((path) => path !== undefined && path !== "");
    const [first = ""] = origins;
    if (block && origins.some((path) => path !== first)) return block;
    return first === "" || first.startsWith("after ") ? first : `after ${first}`;
  }

  /** Path of the operation that made a tensor. */
  noted(output: Named): string | undefined {
    return this.#paths.get(output);
  }

  /** Notes that an operation of that layer made a tensor. */
  note(output: Named, path: string): void {
    this.#paths.set(output, path);
  }
}

/** "layer1.0.conv1.weight" → "layer1.0.conv1"; a name without a dot stays. */
export function pathOf(name: string | undefined): string {
  return name?.replace(/\.[^.]*$/, "") ?? "";
}

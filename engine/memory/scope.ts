/** What a scope can free: a tensor handle. */
export interface Scoped {
  dispose(): void;
}

/**
 * Nested scopes of tensor lifetimes. A tensor made inside a scope ends with it, unless it is returned or kept.
 * Scopes are synchronous, so that two asynchronous walks on one device cannot mix their tensors.
 */
export class ScopeStack {
  readonly #open: Set<Scoped>[] = [];
  #made: Set<Scoped> | undefined;
  #isScoped: (value: unknown) => value is Scoped = (value): value is Scoped =>
    typeof value === "object" && value !== null && "dispose" in value;

  /** Puts a new tensor under the innermost scope; outside of all scopes its owner must dispose of it. */
  add(tensor: Scoped): void {
    this.#open.at(-1)?.add(tensor);
    this.#made?.add(tensor);
  }

  /** Takes a tensor out of every scope: it lives until somebody disposes of it. */
  keep(tensor: Scoped): void {
    for (const scope of this.#open) scope.delete(tensor);
  }

  /** Scopes that are open. */
  get depth(): number {
    return this.#open.length;
  }

  /** Runs `work` and frees every tensor that it made, kept and returned ones too. */
  runAndFree(work: () => unknown): void {
    const outer = this.#made;
    const made = new Set<Scoped>();
    this.#made = made;
    try {
      this.run(work);
    } finally {
      this.#made = outer;
      for (const tensor of made) tensor.dispose();
    }
  }

  run<T>(work: () => T): T {
    const scope = new Set<Scoped>();
    this.#open.push(scope);
    let result: T | undefined;
    try {
      result = work();
      if (result instanceof Promise) {
        throw new TypeError("a scope is synchronous: return started reads in a record and await them outside");
      }
      return result;
    } finally {
      this.#open.pop();
      for (const tensor of this.#returned(result)) {
        if (scope.delete(tensor)) this.add(tensor);
      }
      for (const tensor of scope) tensor.dispose();
    }
  }

  #returned(result: unknown): Scoped[] {
    if (this.#isScoped(result)) return [result];
    if (typeof result !== "object" || result === null || result instanceof Promise || ArrayBuffer.isView(result))
      return [];
    return Object.values(result).flatMap((value) => this.#returned(value));
  }
}

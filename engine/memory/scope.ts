/** What a scope can free: a tensor handle. */
export interface Scoped {
  dispose(): void;
  /** Bytes that only its owner can free, since it lies in no scope and was not kept; 0 for any other. */
  looseBytes: number;
  /** Bytes that its end would free. */
  readonly ownBytes: number;
}

/**
 * Nested scopes of tensor lifetimes. A tensor made inside a scope ends with it, unless it is returned or kept.
 * Scopes are synchronous, so that two asynchronous walks on one device cannot mix their tensors.
 */
export class ScopeStack {
  readonly #open: Set<Scoped>[] = [];
  #made: Set<Scoped> | undefined;
  #looseTensors = 0;
  #looseBytes = 0;
  #isScoped: (value: unknown) => value is Scoped = (value): value is Scoped =>
    typeof value === "object" && value !== null && "dispose" in value;

  /** Puts a new tensor under the innermost scope; outside of all scopes its owner must dispose of it. */
  add(tensor: Scoped): void {
    const scope = this.#open.at(-1);
    if (scope) scope.add(tensor);
    else this.#loosen(tensor);
    this.#made?.add(tensor);
  }

  #loosen(tensor: Scoped): void {
    if (tensor.ownBytes === 0) return;
    tensor.looseBytes = tensor.ownBytes;
    this.#looseTensors++;
    this.#looseBytes += tensor.ownBytes;
  }

  /** Tensors that were made outside of all scopes, or returned from the outermost, and neither kept nor disposed of. */
  get loose(): { readonly tensors: number; readonly bytes: number } {
    return { tensors: this.#looseTensors, bytes: this.#looseBytes };
  }

  /** Takes a tensor out of every scope: it lives until somebody disposes of it. */
  keep(tensor: Scoped): void {
    if (tensor.looseBytes > 0) {
      this.#looseTensors--;
      this.#looseBytes -= tensor.looseBytes;
      tensor.looseBytes = 0;
    }
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

  /** As {@link run}; the tensors that `work` returns are in no scope and end by `dispose`. */
  runAndKeep<T>(work: () => T): { result: T; dispose: () => void } {
    const result = this.run(work);
    const returned = this.#returned(result);
    for (const tensor of returned) this.keep(tensor);
    return {
      result,
      dispose: () => {
        for (const tensor of returned) tensor.dispose();
      },
    };
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

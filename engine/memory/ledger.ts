/** What one owner holds of a device's memory. */
export interface OwnerUse {
  /** "parameters", "gradients", "activations: conv2d", …; "free" is what the pool keeps for reuse. */
  readonly owner: string;
  readonly bytes: number;
  readonly buffers: number;
  /** The most it held at any time. */
  readonly mostBytes: number;
  /** What it held when the device held most in all. */
  readonly atPeakBytes: number;
}

/** Bytes and buffers by owner. */
export class Ledger {
  readonly #uses = new Map<string, { -readonly [Key in keyof OwnerUse]: OwnerUse[Key] }>();

  add(owner: string, bytes: number): void {
    let use = this.#uses.get(owner);
    if (!use) {
      use = { owner, bytes: 0, buffers: 0, mostBytes: 0, atPeakBytes: 0 };
      this.#uses.set(owner, use);
    }
    use.bytes += bytes;
    use.buffers++;
    if (use.bytes > use.mostBytes) use.mostBytes = use.bytes;
  }

  remove(owner: string, bytes: number): void {
    const use = this.#uses.get(owner)!;
    use.bytes -= bytes;
    use.buffers--;
  }

  /** Takes what every owner holds now as its part of the peak. */
  markPeak(): void {
    for (const use of this.#uses.values()) use.atPeakBytes = use.bytes;
  }

  /** Starts the count of `mostBytes` and `atPeakBytes` anew. */
  reset(): void {
    for (const use of this.#uses.values()) use.mostBytes = use.atPeakBytes = use.bytes;
  }

  copy(): Ledger {
    const copy = new Ledger();
    for (const [owner, use] of this.#uses) copy.#uses.set(owner, { ...use });
    return copy;
  }

  /** Every owner so far. */
  uses(): OwnerUse[] {
    return [...this.#uses.values()].map((use) => ({ ...use }));
  }
}

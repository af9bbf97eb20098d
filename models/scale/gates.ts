/** Lets work in together, or some of it alone. */
export class Gate {
  #together = 0;
  #alone = false;
  /** Work that has to be alone and waits; what may be together waits behind it. */
  #wanting = 0;
  readonly #waiting = new Set<() => void>();

  /** Runs work beside other such work. */
  async together<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone || this.#wanting > 0) await this.#change();
    this.#together++;
    try {
      return await work();
    } finally {
      this.#together--;
      this.#tell();
    }
  }

  /** Runs work when no other runs, and lets none begin until it has ended. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#wanting++;
    try {
      while (this.#alone || this.#together > 0) await this.#change();
      this.#alone = true;
    } finally {
      this.#wanting--;
    }
    try {
      return await work();
    } finally {
      this.#alone = false;
      this.#tell();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #tell(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

/** Bytes that are held at a time; whoever wants more than is left waits, in turn. */
export class Budget {
  readonly #most: number;
  #held = 0;
  readonly #waiting: { readonly bytes: number; readonly begin: () => void }[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** Sets bytes aside until what is returned is disposed of; more than there are count as all. */
  async take(wanted: number): Promise<Disposable> {
    const bytes = Math.min(wanted, this.#most);
    if (this.#waiting.length > 0 || this.#held + bytes > this.#most)
      await new Promise<void>((begin) => this.#waiting.push({ bytes, begin }));
    else this.#held += bytes;
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        this.#held -= bytes;
        this.#next();
      },
    };
  }

  #next(): void {
    for (let first = this.#waiting[0]; first && this.#held + first.bytes <= this.#most; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#held += first.bytes;
      first.begin();
    }
  }
}

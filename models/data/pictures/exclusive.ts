/** Work that runs side by side, and work that has to run alone. */
export class Gate {
  #running = 0;
  #begun = 0;
  #alone: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  /** Runs work beside others; also says, when it throws, whether any other ran meanwhile. */
  async beside<T>(work: () => Promise<T>): Promise<{ value: T } | { error: unknown; mixed: boolean }> {
    while (this.#alone) await this.#alone;
    const begun = ++this.#begun;
    const others = this.#running++;
    try {
      return { value: await work() };
    } catch (error) {
      return { error, mixed: others > 0 || this.#begun > begun };
    } finally {
      this.#running--;
      if (this.#running === 0) this.#whenIdle?.();
    }
  }

  /** Runs work when no other runs, and lets none begin meanwhile. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone) await this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    try {
      if (this.#running > 0) {
        await new Promise<void>((idle) => {
          this.#whenIdle = idle;
        });
      }
      return await work();
    } finally {
      this.#whenIdle = undefined;
      this.#alone = undefined;
      resolve();
    }
  }
}

import { renewalMs } from "../training/owner.ts";

/** A training is in another process's hands. */
export class TrainingBusyError extends Error {
  override name = "TrainingBusyError";
}

/** A training that this process has claimed; renewed until it is disposed of. */
export class Claim implements Disposable {
  readonly #timer: NodeJS.Timeout;
  readonly #taken = new AbortController();

  /** @param renew returns whether the claim is still this process's */
  constructor(renew: () => boolean, everyMs = renewalMs) {
    this.#timer = setInterval(() => {
      try {
        if (!renew()) this.#taken.abort(new TrainingBusyError("another process has taken this training over"));
      } catch {
        // Another holds the database for a moment; the next renewal is soon enough.
      }
    }, everyMs);
    this.#timer.unref();
  }

  /** Aborts when another process has taken the claim over, as it may after a long sleep of this computer. */
  get taken(): AbortSignal {
    return this.#taken.signal;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

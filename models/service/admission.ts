import type { Limits } from "./options.ts";
import { Problem } from "./problem.ts";

/** What a request holds of the service until it is answered. */
export interface Place extends Disposable {
  /** Asks for more pictures. @throws Problem 429 when the queue is full */
  take(pictures: number): void;
  /** Lets go of body bytes that were not needed. */
  keepBytes(bytes: number): void;
}

/** Bounds what all requests together hold: pictures that wait, bytes of bodies. */
export class Admission {
  readonly #limits: Limits;
  readonly #secondsAPicture: () => number;
  #pictures = 0;
  #bytes = 0;

  /** @param secondsAPicture as measured, for the time after which a refused client may come again */
  constructor(limits: Limits, secondsAPicture: () => number) {
    this.#limits = limits;
    this.#secondsAPicture = secondsAPicture;
  }

  /** Pictures accepted and not yet answered. */
  get pictures(): number {
    return this.#pictures;
  }

  /** Bytes that are set aside for bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A place for a request with one picture at least, before its body is read.
   * @throws Problem 429 when the queue or the memory for bodies is full
   */
  enter(bytes: number): Place {
    const { maxHeldBytes } = this.#limits;
    // A body alone may always come in.
    if (this.#bytes > 0 && this.#bytes + bytes > maxHeldBytes) {
      throw this.#full(`bodies of ${maxHeldBytes} bytes are held`);
    }
    let [held, taken] = [bytes, 0];
    const take = (pictures: number) => {
      this.#take(pictures);
      taken += pictures;
    };
    take(1);
    this.#bytes += bytes;
    return {
      take,
      keepBytes: (kept) => {
        this.#bytes += kept - held;
        held = kept;
      },
      [Symbol.dispose]: () => {
        this.#bytes -= held;
        this.#pictures -= taken;
        held = taken = 0;
      },
    };
  }

  #take(pictures: number): void {
    const { maxQueue } = this.#limits;
    if (this.#pictures + pictures > maxQueue) {
      throw this.#full(`${this.#pictures} of at most ${maxQueue} pictures wait, and ${pictures} more were sent`);
    }
    this.#pictures += pictures;
  }

  #full(why: string): Problem {
    const seconds = Math.min(60, Math.max(1, Math.ceil(this.#pictures * this.#secondsAPicture())));
    return new Problem(429, "queue-full", `The queue is full: ${why}.`, {
      advice: `Send it again in ${seconds} s.`,
      headers: { "retry-after": String(seconds) },
    });
  }
}

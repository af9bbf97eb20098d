import type { Limits } from "./options.ts";
import { Problem } from "./problem.ts";

/** What a request holds of the service until it is answered. */
export interface Place extends Disposable {
  /** Asks for more pictures. @throws Problem 429 when the queue is full */
  take(pictures: number): void;
  /** Sets so many bytes aside for the body. @throws Problem 429 when others hold too many */
  hold(bytes: number): void;
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
   * @throws Problem 429 when the queue is full
   */
  enter(): Place {
    this.#take(1);
    let [held, taken] = [0, 1];
    return {
      take: (pictures) => {
        this.#take(pictures);
        taken += pictures;
      },
      hold: (bytes) => {
        const others = this.#bytes - held;
        const { maxHeldBytes } = this.#limits;
        // A body alone may always come in.
        if (others > 0 && others + bytes > maxHeldBytes) throw this.#full(`${others} bytes of other bodies are held`);
        this.#bytes = others + bytes;
        held = bytes;
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

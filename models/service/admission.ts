import type { Limits } from "./options.ts";
import { Problem } from "./problem.ts";

/** What a request holds of the service until it is answered. */
export interface Place extends Disposable {
  /**
   * Waits for a place in the queue for one more picture: one of its own when the queue is full, and it has one at least. A
   * second waiting call must not be made before the first is done.
   */
  take(): Promise<void>;
  /** A picture that was taken in is done: its place is free, and its bytes are not held any more. */
  leave(bytes: number): void;
  /** Waits until so many more bytes fit, or until no picture of the request is left to wait for, and holds them. @throws Problem 429 in the latter case */
  room(bytes: number): Promise<void>;
  /** Sets so many more bytes aside, at once. @throws Problem 429 when others hold too many */
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

  /** Places in the queue that are taken. */
  get pictures(): number {
    return this.#pictures;
  }

  /** Bytes that are set aside for bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A place for a request, before its body is read.
   * @param weight places that it takes from the beginning, as far as the queue has so many at all
   * @throws Problem 429 when the queue is full
   */
  enter(weight = 1): Place {
    const { maxQueue, maxHeldBytes } = this.#limits;
    const own = Math.min(weight, maxQueue);
    if (this.#pictures + own > maxQueue) throw this.#full(`${this.#pictures} of at most ${maxQueue} pictures wait`);
    this.#pictures += own;
    let [places, working, held] = [own, 0, 0];
    let isOver = false;
    let left = Promise.withResolvers<void>();
    const hold = (bytes: number) => {
      const others = this.#bytes - held;
      // A request alone may always come in.
      if (others > 0 && this.#bytes + bytes > maxHeldBytes) throw this.#full(`${others} bytes of others are held`);
      this.#bytes += bytes;
      held += bytes;
    };
    return {
      hold,
      room: async (bytes) => {
        while (working > 0 && this.#bytes + bytes > maxHeldBytes) await left.promise;
        if (!isOver) hold(bytes);
      },
      take: async () => {
        while (!isOver && working >= places) {
          if (this.#pictures >= maxQueue) await left.promise;
          else {
            this.#pictures++;
            places++;
          }
        }
        working++;
      },
      leave: (bytes) => {
        if (isOver) return;
        working--;
        this.#bytes -= bytes;
        held -= bytes;
        if (places > own) {
          places--;
          this.#pictures--;
        }
        left.resolve();
        left = Promise.withResolvers();
      },
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        this.#bytes -= held;
        this.#pictures -= places;
        left.resolve();
      },
    };
  }

  #full(why: string): Problem {
    const seconds = Math.min(60, Math.max(1, Math.ceil(this.#pictures * this.#secondsAPicture())));
    return new Problem(429, "queue-full", `The queue is full: ${why}.`, {
      advice: `Send it again in ${seconds} s.`,
      headers: { "retry-after": String(seconds) },
    });
  }
}

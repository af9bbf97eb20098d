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

/** Whose request it is, and how it ends when others need what it holds. */
export interface Entering {
  /** Places that it takes from the beginning, as far as the queue has so many at all. @default 1 */
  readonly weight?: number;
  /** The address it came from. Of places and bytes, a client gets at most as many as it leaves free. */
  readonly client?: string | undefined;
  /** Told when its place was given to another, which happens only while it has no picture in work. */
  readonly evict?: (why: Problem) => void;
}

/** What one request, or all of a client, or all there are, hold. */
interface Held {
  places: number;
  bytes: number;
}

interface Entered extends Held {
  readonly since: number;
  readonly isWaiting: () => boolean;
  readonly evict: (why: Problem) => void;
}

/** Requests that came later than this before another are not ended for it, milliseconds. */
const graceMs = 1000;

/**
 * Bounds what all requests together hold: pictures that wait, bytes of bodies that have come. Where that is used up, requests
 * whose bodies do not come make room for others, the oldest first.
 */
export class Admission {
  readonly #limits: Limits;
  readonly #secondsAPicture: () => number;
  readonly #all: Held = { places: 0, bytes: 0 };
  readonly #clients = new Map<string, Held>();
  readonly #entered = new Set<Entered>();

  /** @param secondsAPicture as measured, for the time after which a refused client may come again */
  constructor(limits: Limits, secondsAPicture: () => number) {
    this.#limits = limits;
    this.#secondsAPicture = secondsAPicture;
  }

  /** Places in the queue that are taken. */
  get pictures(): number {
    return this.#all.places;
  }

  /** Bytes that are set aside for bodies. */
  get bytes(): number {
    return this.#all.bytes;
  }

  /**
   * A place for a request, before its body is read.
   * @throws Problem 429 when the queue is full, or its client has as many places as are free
   */
  enter({ weight = 1, client, evict = () => {} }: Entering = {}): Place {
    const { maxQueue, maxHeldBytes } = this.#limits;
    const own = Math.min(weight, maxQueue);
    const share = this.#shareOf(client);
    const isShare = (more: number) => !share || share.places === 0 || share.places + more <= maxQueue - this.pictures;
    if (!isShare(own)) throw this.#full(`${share!.places} pictures of this client wait`);
    this.#evictWhile(() => this.pictures + own > maxQueue);
    if (this.pictures + own > maxQueue) throw this.#full(`${this.pictures} of at most ${maxQueue} pictures wait`);
    let working = 0;
    let isOver = false;
    let left = Promise.withResolvers<void>();
    const mine: Entered = {
      ...{ places: 0, bytes: 0, since: performance.now(), isWaiting: () => working === 0 },
      evict: (why) => {
        end();
        evict(why);
      },
    };
    const add = (kind: keyof Held, count: number) => {
      for (const held of [this.#all, mine, ...(share ? [share] : [])]) held[kind] += count;
    };
    const end = () => {
      if (isOver) return;
      isOver = true;
      add("bytes", -mine.bytes);
      add("places", -mine.places);
      this.#entered.delete(mine);
      if (client !== undefined && share?.places === 0) this.#clients.delete(client);
      left.resolve();
    };
    const hold = (bytes: number) => {
      if (isOver) return;
      // A request alone may always come in.
      const isFull = () => this.bytes > mine.bytes && this.bytes + bytes > maxHeldBytes;
      this.#evictWhile(isFull, mine);
      if (isFull()) throw this.#full(`${this.bytes - mine.bytes} bytes of others are held`);
      if (share && share.bytes > mine.bytes && share.bytes + bytes > maxHeldBytes - this.bytes) {
        throw this.#full(`${share.bytes} bytes of this client are held`);
      }
      add("bytes", bytes);
    };
    this.#entered.add(mine);
    add("places", own);
    return {
      hold,
      room: async (bytes) => {
        while (working > 0 && this.bytes + bytes > maxHeldBytes) await left.promise;
        hold(bytes);
      },
      take: async () => {
        while (!isOver && working >= mine.places) {
          if (this.pictures >= maxQueue || !isShare(1)) await left.promise;
          else add("places", 1);
        }
        working++;
      },
      leave: (bytes) => {
        if (isOver) return;
        working--;
        add("bytes", -bytes);
        if (mine.places > own) add("places", -1);
        left.resolve();
        left = Promise.withResolvers();
      },
      [Symbol.dispose]: end,
    };
  }

  #shareOf(client: string | undefined): Held | undefined {
    if (client === undefined) return undefined;
    const share = this.#clients.get(client) ?? { places: 0, bytes: 0 };
    this.#clients.set(client, share);
    return share;
  }

  /** Ends requests that wait for their bodies, the oldest first, as long as it is needed and there are such. */
  #evictWhile(isNeeded: () => boolean, but?: Entered): void {
    if (!isNeeded()) return;
    const latest = performance.now() - graceMs;
    for (const each of this.#entered) {
      if (!isNeeded() || each.since > latest) return;
      if (each !== but && each.isWaiting()) each.evict(slowBody());
    }
  }

  #full(why: string): Problem {
    const seconds = Math.min(60, Math.max(1, Math.ceil(this.pictures * this.#secondsAPicture())));
    return new Problem(429, "queue-full", `The queue is full: ${why}.`, {
      advice: `Send it again in ${seconds} s.`,
      headers: { "retry-after": String(seconds) },
    });
  }
}

function slowBody(): Problem {
  return new Problem(408, "slow-body", "The queue is full, and others were there sooner with a whole body.", {
    advice: "Send it again, without pauses.",
    headers: { connection: "close" },
  });
}

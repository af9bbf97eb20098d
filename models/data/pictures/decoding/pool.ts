import { availableParallelism } from "node:os";
import { expectNames } from "../../../../engine/arguments.ts";
import { FairQueue } from "../../fair-queue.ts";
import { whenAborted } from "../../prefetch.ts";
import type { DecodeOptions, Picture } from "../decode.ts";
import { PictureError } from "../picture-error.ts";
import { DecoderChild } from "./child.ts";
import { DecoderBusyError, DecoderEndedError, DecodersClosedError } from "./errors.ts";

/** How a {@link DecoderPool} decodes. */
export interface DecoderPoolOptions {
  /** Processes for pictures that are decoded soon. @default as many as cores, 2 to 8 */
  readonly processes?: number;
  /** Processes for pictures that take long; they leave the processor to the others. @default one for four cores, at least 1 */
  readonly slowProcesses?: number;
  /** Expected seconds of one core, until it is resized, from which a picture takes long. @default 1, such as 16 megapixels of JPEG */
  readonly slowSeconds?: number;
  /** Seconds after which a picture that takes long is given up, from when it is found to be one; also the most that any may take. @default 8 */
  readonly seconds?: number;
  /** Bytes of memory that a process may hold, where the system tells (Linux). @default 1073741824 (1 GiB) */
  readonly memoryBytes?: number;
}

const names = {
  processes: true,
  slowProcesses: true,
  slowSeconds: true,
  seconds: true,
  memoryBytes: true,
} satisfies Record<keyof DecoderPoolOptions, true>;

export interface DecodeRequest {
  readonly signal?: AbortSignal;
  /** Who asks, by any name: those who ask at the same time get equal shares. */
  readonly client?: string;
}

interface Job {
  readonly bytes: Uint8Array;
  readonly options: DecodeOptions;
  readonly client: string;
  readonly turn: PromiseWithResolvers<DecoderChild>;
}

/** A picture and who asks for it. */
type Asked = Omit<Job, "turn">;

/** What ends a job: while it waits for its turn, and at any time. */
interface Ends {
  readonly waiting?: AbortSignal | undefined;
  readonly always?: AbortSignal | undefined;
}

/** Processes of one kind, and what waits for them. */
interface Lane {
  readonly isSlow: boolean;
  readonly size: number;
  readonly queue: FairQueue<Job>;
  readonly idle: DecoderChild[];
  busy: number;
}

/** A picture that nobody waits for may go on for so long: ending a process and starting another costs as much. */
const graceMs = 250;
/** Cost of asking what a picture costs, seconds. */
const leastCost = 1e-3;

/**
 * Decodes pictures in processes of its own, so that a picture that takes too much memory or time, takes the decoder down, or is not wanted
 * any more costs its process and nothing else. Pictures that take long wait in a lane of their own. In each lane clients that ask
 * at the same time get equal shares of its time.
 */
export class DecoderPool implements AsyncDisposable {
  readonly #quick: Lane;
  readonly #slow: Lane;
  readonly #slowSeconds: number;
  readonly #seconds: number;
  readonly #memoryBytes: number;
  readonly #children = new Set<DecoderChild>();
  #closed = false;

  constructor(options: DecoderPoolOptions = {}) {
    expectNames("DecoderPool", options, names);
    const cores = availableParallelism();
    const { processes = Math.min(8, Math.max(2, cores)) } = options;
    const { slowProcesses = Math.max(1, Math.floor(cores / 4)) } = options;
    const lane = (isSlow: boolean, size: number): Lane => ({ isSlow, size, queue: new FairQueue(), idle: [], busy: 0 });
    this.#quick = lane(false, processes);
    this.#slow = lane(true, slowProcesses);
    this.#slowSeconds = options.slowSeconds ?? 1;
    this.#seconds = options.seconds ?? 8;
    this.#memoryBytes = options.memoryBytes ?? 2 ** 30;
  }

  /** Pictures that wait for a process. */
  get waiting(): number {
    return this.#quick.queue.length + this.#slow.queue.length;
  }

  /**
   * Decodes a picture and hands it to `use`. Its process takes the next picture when `use` is done, so that no more decoded pictures are
   * there than processes.
   * @throws PictureError, also "too-costly" for one that takes too much memory or time; DecoderBusyError; the signal's reason; RangeError for an
   * option that means nothing; what `use` throws
   */
  async decode<T>(
    bytes: Uint8Array,
    options: DecodeOptions,
    use: (picture: Picture) => Promise<T>,
    { signal, client = "" }: DecodeRequest = {},
  ): Promise<T> {
    const asked = { bytes, options, client };
    const always = signal;
    let cost = 0;
    const quick = await this.#run(this.#quick, asked, leastCost, { always }, async (child) => {
      cost = await this.#timed(child, this.#seconds, () => child.cost(bytes, options), asked);
      if (cost > this.#slowSeconds) return undefined;
      this.#quick.queue.charge(client, cost);
      return { value: await use(await this.#timed(child, this.#seconds, () => child.pixels(), asked)) };
    });
    if (quick) return quick.value;
    const late = AbortSignal.timeout(1000 * this.#seconds);
    try {
      return await this.#run(this.#slow, asked, cost, { always, waiting: late }, async (child, waitedSeconds) => {
        const left = this.#seconds - waitedSeconds;
        const pixels = () => child.cost(bytes, options).then(() => child.pixels());
        return use(await this.#timed(child, left, pixels, asked));
      });
    } catch (error) {
      if (error !== late.reason) throw error;
      throw new DecoderBusyError(`pictures that take long to decode wait longer than ${this.#seconds} s at the moment`);
    }
  }

  /** Ends all processes; whoever waits for them hears so. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { queue } of [this.#quick, this.#slow]) {
      for (let job = queue.shift(); job; job = queue.shift()) job.turn.reject(closedError());
    }
    for (const child of this.#children) child.stop();
  }

  /** Does work with a process of a lane, once it is its turn. */
  async #run<T>(
    lane: Lane,
    asked: Asked,
    cost: number,
    ends: Ends,
    work: (child: DecoderChild, waitedSeconds: number) => Promise<T>,
  ): Promise<T> {
    const given = performance.now();
    const child = await this.#turn(lane, asked, cost, ends);
    const waitedSeconds = (performance.now() - given) / 1000;
    const working = child.ready().then(() => work(child, waitedSeconds));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const free = () => {
      clearTimeout(timer);
      lane.busy--;
      if (!child.ended) lane.idle.push(child);
      this.#next(lane);
    };
    working.then(free, free);
    const aborted = ends.always && whenAborted(ends.always);
    // Whoever is gone does not wait for a process that is soon done or soon ended.
    aborted?.promise.catch(() => {
      timer = setTimeout(() => child.stop(), graceMs);
    });
    try {
      return await (aborted ? Promise.race([working, aborted.promise]) : working);
    } finally {
      aborted?.release();
    }
  }

  /** Waits for a process. A signal ends the waiting alone: whoever has a process must give it back. */
  async #turn(lane: Lane, asked: Asked, cost: number, ends: Ends): Promise<DecoderChild> {
    if (this.#closed) throw closedError();
    const job: Job = { ...asked, turn: Promise.withResolvers() };
    const heard = new AbortController();
    for (const signal of [ends.always, ends.waiting]) {
      signal?.throwIfAborted();
      const leave = () => {
        if (lane.queue.remove(job)) job.turn.reject(signal!.reason);
      };
      signal?.addEventListener("abort", leave, { signal: heard.signal });
    }
    lane.queue.push(job.client, cost, job);
    this.#next(lane);
    try {
      return await job.turn.promise;
    } finally {
      heard.abort();
    }
  }

  #next(lane: Lane): void {
    while (lane.busy < lane.size) {
      const job = lane.queue.shift();
      if (!job) return;
      lane.busy++;
      let child = lane.idle.pop();
      while (child?.ended) child = lane.idle.pop();
      job.turn.resolve(child ?? this.#spawn(lane.isSlow));
    }
  }

  #spawn(isSlow: boolean): DecoderChild {
    for (const child of this.#children) if (child.ended) this.#children.delete(child);
    const child = new DecoderChild({ isSlow, memoryBytes: this.#memoryBytes });
    this.#children.add(child);
    return child;
  }

  /** Work of a process within its time. @throws PictureError "too-costly" for a picture that takes more, or takes the process down */
  async #timed<T>(child: DecoderChild, seconds: number, work: () => Promise<T>, asked: Asked): Promise<T> {
    const name = asked.options.name ?? "(bytes)";
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.stop();
    }, 1000 * seconds);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DecoderEndedError)) throw error;
      const costly = (detail: string) => new PictureError(name, "too-costly", detail, { cause: error });
      if (isLate) throw costly(`Decoding it takes more than ${this.#seconds} s.`);
      if (error.why === "memory") throw costly(`Decoding it takes more than ${this.#memoryBytes} bytes of memory.`);
      if (error.why === "crash") throw costly("It took the decoder down.");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function closedError(): Error {
  return new DecodersClosedError("the decoding processes are ended");
}

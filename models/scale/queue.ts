import type { Queue } from "bullmq";
import { expectNames } from "../../engine/arguments.ts";
import { chunkId, chunksOf, meanChunk, packed } from "./chunks.ts";
import {
  type Connection,
  type ConnectOptions,
  connect,
  expectVersion,
  fullError,
  isFull,
  prefix,
  refusalOf,
} from "./connection.ts";
import { QueueError } from "./queue-error.ts";

/** How {@link openQueue} opens a queue. */
export interface QueueOptions extends ConnectOptions {
  /** Tells queues of one Redis apart. @default "pictures" */
  readonly name?: string;
}

const optionNames = { name: true, onNote: true, signal: true, waits: true } satisfies Record<keyof QueueOptions, true>;

/** Where pictures of a queue are. */
export interface QueueStatus {
  /** Jobs that wait, of some {@link meanChunk} pictures each. */
  readonly waiting: number;
  /** Jobs in hand. */
  readonly active: number;
  /** Jobs that wait for another try. */
  readonly delayed: number;
  /** Pictures that have neither result nor dead letter yet; an estimate where a worker was killed. */
  readonly pictures: number;
  /** Seconds since the oldest waiting job was sent; 0 without one. */
  readonly oldestSeconds: number;
  /** Pictures that were given up. */
  readonly dead: number;
  /** Workers that are connected. */
  readonly workers: number;
  /** Pictures since the queue was made: scored, found in the store, given up. Those of a job that was done twice count twice. */
  readonly totals: { readonly scored: number; readonly stored: number; readonly dead: number };
}

/** A picture that was given up, and why. */
export interface DeadPicture {
  /** As it was sent. */
  readonly picture: string;
  /** In a word: that of a PictureError, of a problem document, `worker-ended` or `failed`. */
  readonly reason: string;
  /** In a sentence. */
  readonly error: string;
  /** How often it was tried. */
  readonly tries: number;
  /** When it was given up, milliseconds since 1970. */
  readonly at: number;
}

export interface AddOptions {
  readonly signal?: AbortSignal;
  /** Pictures that may wait at a time; more are sent as workers take some. @default without end */
  readonly mostWaiting?: number;
  /** Told how many pictures were sent so far, those that waited already among them. */
  readonly onProgress?: (pictures: number) => void;
}

const addNames = { signal: true, mostWaiting: true, onProgress: true } satisfies Record<keyof AddOptions, true>;

/** What {@link PictureQueue.add} has sent. */
export interface Sent {
  readonly pictures: number;
  /** Of them, in jobs that waited already. */
  readonly waited: number;
}

/** Jobs sent to Redis at a time: some 6400 pictures. */
const batchJobs = 200;

/** How often a job is tried whose pictures fail for what may pass, and how long the first pause is; each further one is twice as long. */
export const [defaultTries, firstPauseMs] = [5, 1000];

const forgetSame = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end";

/** Keys of a queue beside those of BullMQ. */
export const keysOf = (name: string) => ({
  tally: `${prefix}:${name}:tally`,
  dead: `${prefix}:${name}:dead`,
  workers: `${prefix}:${name}:workers`,
});

/** A worker that has not told for so long that it works does not count, milliseconds. */
export const workerLapseMs = 20_000;

/**
 * Opens a queue of pictures in Redis or Valkey, making it where there is none. A server that is away is waited for.
 * @param url such as `redis://user:password@host:6379/0`, or `rediss://` with TLS
 * @throws QueueError when the address is none, the server refuses us, or the queue is of another version
 */
export async function openQueue(url: string, options: QueueOptions = {}): Promise<PictureQueue> {
  expectNames("openQueue", options, optionNames);
  const { name = "pictures", ...rest } = options;
  expectQueueName(name);
  const connection = await connect(url, rest);
  try {
    await expectVersion(connection, name);
    return new PictureQueue(connection, name);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** @throws QueueError for a name that keys of Redis cannot hold */
export function expectQueueName(name: string): void {
  if (/^[\w.-]{1,100}$/.test(name)) return;
  throw new QueueError(
    `a queue cannot be called ${JSON.stringify(name)}`,
    "use letters, digits, _ . and -, at most 100",
  );
}

/** Pictures that wait to be scored by workers; made by {@link openQueue}. */
export class PictureQueue implements AsyncDisposable {
  readonly name: string;
  readonly connection: Connection;
  readonly #queue: Queue;
  readonly #keys: ReturnType<typeof keysOf>;

  /** Use {@link openQueue}. */
  constructor(connection: Connection, name: string) {
    this.name = name;
    this.connection = connection;
    this.#keys = keysOf(name);
    this.#queue = new connection.bull.Queue(name, {
      connection: connection.redis,
      prefix,
      // Whoever listens is told; nobody needs the events of the day before.
      streams: { events: { maxLen: 1000 } },
      defaultJobOptions: { removeOnComplete: true },
    });
    this.#queue.on("error", () => {}); // told by the connection
  }

  /** The server in words, without credentials. */
  get place(): string {
    return this.connection.place;
  }

  /**
   * Sends pictures, some at a time: however many there are, a few thousand names are in memory. The same names in the same order are the
   * same jobs, which wait once.
   * @throws QueueError when Redis is full; the signal's reason; what the names throw. What was sent until then is sent
   */
  async add(names: AsyncIterable<string> | Iterable<string>, options: AddOptions = {}): Promise<Sent> {
    expectNames("add", options, addNames);
    const { signal, mostWaiting, onProgress = () => {} } = options;
    const sent = { pictures: 0, waited: 0 };
    let batch: string[][] = [];
    const flush = async () => {
      if (mostWaiting !== undefined) await this.#room(mostWaiting, signal);
      const waited = await this.#send(batch);
      for (const [i, chunk] of batch.entries()) {
        sent.pictures += chunk.length;
        if (waited[i]) sent.waited += chunk.length;
      }
      batch = [];
      onProgress(sent.pictures);
    };
    for await (const chunk of chunksOf(names)) {
      signal?.throwIfAborted();
      batch.push(chunk);
      if (batch.length >= batchJobs) await flush();
    }
    if (batch.length > 0) await flush();
    return sent;
  }

  /** @returns which of the groups waited already */
  async #send(chunks: readonly string[][]): Promise<boolean[]> {
    const { redis } = this.connection;
    return this.#explained(async () => {
      const ids = chunks.map(chunkId);
      const looking = redis.pipeline();
      for (const id of ids) looking.exists(`${prefix}:${this.name}:${id}`);
      const waited = ((await looking.exec()) ?? []).map(([error, found]) => {
        if (error) throw error;
        return found === 1;
      });
      const fresh = chunks.flatMap((chunk, i) => (waited[i] ? [] : [{ chunk, id: ids[i]! }]));
      if (fresh.length === 0) return waited;
      await this.#queue.addBulk(
        fresh.map(({ chunk, id }) => ({
          name: "p",
          data: packed(chunk),
          opts: {
            jobId: id,
            attempts: defaultTries,
            backoff: { type: "exponential", delay: firstPauseMs, jitter: 0.5 },
          },
        })),
      );
      await redis.hincrby(
        this.#keys.tally,
        "sent",
        fresh.reduce((sum, { chunk }) => sum + chunk.length, 0),
      );
      return waited;
    });
  }

  /** Waits until fewer pictures wait. */
  async #room(most: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const { waiting } = await this.status();
      if (waiting * meanChunk < most) return;
      await pause(500, signal);
    }
  }

  /** Where the pictures are now. */
  async status(): Promise<QueueStatus> {
    return this.#explained(async () => {
      const { redis } = this.connection;
      const counts = await this.#queue.getJobCounts("waiting", "prioritized", "active", "delayed");
      const [tally, dead, oldest, workers] = await Promise.all([
        redis.hgetall(this.#keys.tally),
        redis.hlen(this.#keys.dead),
        this.#oldest(),
        redis.zcount(this.#keys.workers, Date.now() - workerLapseMs, "+inf"),
      ]);
      const count = (field: string) => Number(tally[field] ?? 0);
      const [waiting, active, delayed] = [
        (counts["waiting"] ?? 0) + (counts["prioritized"] ?? 0),
        counts["active"] ?? 0,
        counts["delayed"] ?? 0,
      ];
      const jobs = waiting + active + delayed;
      const totals = { scored: count("scored"), stored: count("stored"), dead: count("dead") };
      const left = count("sent") - totals.scored - totals.stored - totals.dead;
      // A worker that is killed has not told all that it did, or another does it again: never less than a picture a job.
      const pictures = jobs === 0 ? 0 : Math.max(jobs, left);
      if (jobs === 0 && left !== 0) await redis.hincrby(this.#keys.tally, "sent", -left);
      return { waiting, active, delayed, pictures, oldestSeconds: oldest, dead, workers, totals };
    });
  }

  async #oldest(): Promise<number> {
    const { redis } = this.connection;
    const [id] = await redis.lrange(`${prefix}:${this.name}:wait`, -1, -1);
    const since = id && (await redis.hget(`${prefix}:${this.name}:${id}`, "timestamp"));
    return since ? Math.max(0, (Date.now() - Number(since)) / 1000) : 0;
  }

  /** Pictures that were given up, each once, in no order. */
  async *dead(): AsyncGenerator<DeadPicture, void, undefined> {
    for await (const [picture, text] of this.#dead())
      yield { picture, ...(JSON.parse(text) as Omit<DeadPicture, "picture">) };
  }

  async *#dead(): AsyncGenerator<[picture: string, text: string], void, undefined> {
    const seen = new Set<string>();
    for await (const found of this.connection.redis.hscanStream(this.#keys.dead, { count: 500 }) as AsyncIterable<
      string[]
    >) {
      for (let i = 0; i < found.length; i += 2) {
        const [picture, text] = [found[i]!, found[i + 1]!];
        // A scan may come by an entry twice.
        if (seen.has(picture)) continue;
        seen.add(picture);
        yield [picture, text];
      }
    }
  }

  /** Sends the pictures that were given up again. @returns how many */
  async retryDead({ signal }: Pick<AddOptions, "signal"> = {}): Promise<number> {
    const dead: [picture: string, text: string][] = [];
    for await (const one of this.#dead()) dead.push(one);
    dead.sort(([a], [b]) => (a < b ? -1 : 1));
    for (let i = 0; i < dead.length; i += 1000) {
      const some = dead.slice(i, i + 1000);
      await this.add(
        some.map(([picture]) => picture),
        { ...(signal && { signal }) },
      );
      // Only what is sent is no dead letter any more, and not what a quick worker has given up again meanwhile.
      const forgetting = this.connection.redis.pipeline();
      for (const [picture, text] of some) forgetting.eval(forgetSame, 1, this.#keys.dead, picture, text);
      await this.#explained(() => forgetting.exec());
    }
    return dead.length;
  }

  /** Waits until the queue is empty, that of others, too. @returns where it is then */
  async wait(
    options: { readonly signal?: AbortSignal; readonly onProgress?: (status: QueueStatus) => void } = {},
  ): Promise<QueueStatus> {
    const { signal, onProgress = () => {} } = options;
    for (;;) {
      const status = await this.status();
      onProgress(status);
      if (status.waiting + status.active + status.delayed === 0) return status;
      await pause(500, signal);
    }
  }

  async close(): Promise<void> {
    await this.#queue.close().catch(() => {});
    await this.connection[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What Redis throws, as a sentence. */
  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isFull(error) ? fullError(this.place, error) : (refusalOf(error, this.place) ?? error);
    }
  }
}

/** @throws the signal's reason */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  signal?.throwIfAborted();
}

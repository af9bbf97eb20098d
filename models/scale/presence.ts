import { randomUUID } from "node:crypto";
import type { Connection } from "./connection.ts";
import { keysOf, workerLapseMs } from "./queue.ts";

/** Says again and again that a worker of a queue works, for those who count workers, until it is disposed of. */
export class Presence implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #workers: string;
  readonly #id = randomUUID();
  readonly #telling: NodeJS.Timeout;

  /** @param also what is said at the same times */
  constructor(
    connection: Connection,
    queue: string,
    also?: (pipeline: ReturnType<Connection["redis"]["pipeline"]>, now: number) => void,
  ) {
    this.#connection = connection;
    this.#workers = keysOf(queue).workers;
    const tell = () => {
      if (!connection.isReady) return;
      const now = Date.now();
      const pipeline = connection.redis
        .pipeline()
        .zadd(this.#workers, now, this.#id)
        .zremrangebyscore(this.#workers, "-inf", now - 10 * workerLapseMs);
      also?.(pipeline, now);
      pipeline.exec().catch(() => {});
    };
    tell();
    this.#telling = setInterval(tell, workerLapseMs / 4);
    this.#telling.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#telling);
    const { redis, isReady } = this.#connection;
    if (isReady) await redis.zrem(this.#workers, this.#id).catch(() => {});
  }
}

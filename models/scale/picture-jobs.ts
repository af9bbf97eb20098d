import type { Job } from "bullmq";
import { Limit } from "../data/prefetch.ts";
import type { LogEntry } from "../service/options.ts";
import { StoreError } from "../store/store-error.ts";
import { type ChunkData, packed, unpacked } from "./chunks.ts";
import { isFull } from "./connection.ts";
import type { Failure } from "./failure.ts";
import { Gate } from "./gates.ts";
import type { WorkerMetrics } from "./metrics.ts";
import { type Outcome, scoreOne, type Tools } from "./picture-work.ts";
import { defaultTries, type PictureQueue } from "./queue.ts";
import { redacted } from "./redact.ts";
import { settle } from "./settle.ts";

/** Ends a job that BullMQ is to try again, some time later. */
class TriedAgain extends Error {
  override name = "TriedAgain";
}

type PictureJob = Job<ChunkData>;

/** How long a job waits when store or Redis fail, milliseconds. */
const laterMs = 5000;

/** What pictures of jobs are scored with, and who is told. */
interface JobTools {
  readonly queue: PictureQueue;
  readonly tools: Tools;
  readonly metrics: Pick<WorkerMetrics, "job" | "picture">;
  /** Pictures that are begun at a time. */
  readonly concurrency: number;
  /** How often the worker of a picture may end before the picture is given up. */
  readonly mostEnds: number;
  readonly log: (entry: LogEntry) => void;
}

/** Takes the pictures of jobs to their results. */
export class PictureJobs {
  readonly #given: JobTools;
  readonly #limit: Limit;
  readonly #gate = new Gate();
  #inHand = 0;
  #stopped = false;

  constructor(given: JobTools) {
    this.#given = given;
    this.#limit = new Limit(given.concurrency);
  }

  /** Pictures that are begun and have not ended. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Begins no further picture: those that are left of jobs are given back. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Scores the pictures of a job.
   * @returns what the events of the queue tell of each
   * @throws what BullMQ takes for: this job goes on later, or elsewhere
   */
  async process(job: PictureJob, token: string): Promise<unknown> {
    const { queue, metrics, log } = this.#given;
    const { WaitingError, DelayedError } = queue.connection.bull;
    try {
      const isSuspect = job.stalledCounter > 0;
      const { outcomes, settled, left, ends } = isSuspect
        ? await this.#gate.alone(() => this.#oneByOne(job))
        : await this.#all(job);
      const passing = outcomes.filter((one) => "failure" in one && one.failure.kind === "passing");
      const again = passing.map(({ picture }) => picture);
      const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? defaultTries);
      const retries = passing.length > 0 && !isLast;
      const ended = outcomes.filter((one) => !settled.has(one) && !(retries && passing.includes(one)));
      await settle(queue, ended, (picture) => ends?.[picture] ?? job.attemptsMade + 1, log);
      if (left.length > 0) {
        await job.updateData({ ...packed(retries ? [...again, ...left] : left), ...(ends && { ends }) });
        await job.moveToWait(token);
        metrics.job("given back");
        throw new WaitingError();
      }
      if (retries) {
        await job.updateData({ ...packed(again), ...(ends && { ends }) });
        metrics.job("retried");
        const { failure } = passing[0] as Extract<Outcome, { failure: Failure }>;
        throw new TriedAgain(`${again.length} pictures are tried again, such as for: ${failure.error}`);
      }
      metrics.job("done");
      return outcomes.map(told);
    } catch (error) {
      if (error instanceof WaitingError || error instanceof TriedAgain) throw error;
      // No fault of the pictures, such as a store that is away: the job waits, and its tries are not counted.
      const event = error instanceof StoreError ? "store" : isFull(error) ? "redis-full" : "job";
      log({ level: "error", event, message: redacted((error as Error).message) });
      await job.moveToDelayed(Date.now() + laterMs, token);
      throw new DelayedError();
    }
  }

  /** Scores the pictures of a job beside those of others, until the worker is to end. */
  async #all(job: PictureJob) {
    const pictures = unpacked(job.data);
    const left: string[] = [];
    const begin = (picture: string) =>
      this.#limit.run(async (): Promise<Outcome | undefined> => {
        if (!this.#stopped) return this.#gate.together(() => this.#one(picture));
        left.push(picture);
        return undefined;
      });
    const settled = await Promise.allSettled(pictures.map(begin));
    const failed = settled.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    const outcomes = settled.flatMap((one) => (one.status === "fulfilled" && one.value ? [one.value] : []));
    return { outcomes, settled: new Set<Outcome>(), left, ends: job.data.ends };
  }

  /**
   * The pictures of a job whose worker has ended, one after another and alone, each told to Redis before it is begun: a picture that ends
   * its worker is known by that, and given up when it has done so as often as is allowed.
   */
  async #oneByOne(job: PictureJob) {
    const { queue, mostEnds, log } = this.#given;
    const ends: Record<string, number> = { ...job.data.ends };
    const { at } = job.data;
    // In company, the first time, any of them may have ended the worker.
    if (at !== undefined) ends[at] = (ends[at] ?? 1) + 1;
    const outcomes: Outcome[] = [];
    const settled = new Set<Outcome>();
    // That one last: whoever ends its workers keeps no other from being scored.
    const all = unpacked(job.data);
    let left = at !== undefined && all.includes(at) ? [...all.filter((one) => one !== at), at] : all;
    for (const picture of [...left]) {
      if (this.#stopped) break;
      // Those that are to be tried again stay in the job, which another worker may have to go on with.
      const again = outcomes.flatMap((one) => (settled.has(one) ? [] : [one.picture]));
      await job.updateData({ ...packed([...again, ...left]), at: picture, ends });
      const outcome =
        (ends[picture] ?? 1) >= mostEnds ? await this.#endedBy(picture, ends[picture]!) : await this.#one(picture);
      outcomes.push(outcome);
      if (!("failure" in outcome && outcome.failure.kind === "passing")) {
        settled.add(outcome);
        await settle(queue, [outcome], (one) => ends[one] ?? job.attemptsMade + 1, log);
      }
      left = left.filter((each) => each !== picture);
    }
    return { outcomes, settled, left, ends };
  }

  /** The outcome of a picture that has ended its workers. */
  async #endedBy(picture: string, times: number): Promise<Outcome> {
    const error = `Its worker ended ${times} times while it was scored, the last times with this picture alone.`;
    await this.#given.tools.results.noteUnread(picture, undefined, error);
    return { picture, failure: { reason: "worker-ended", error, kind: "picture" } };
  }

  async #one(picture: string): Promise<Outcome> {
    this.#inHand++;
    const start = performance.now();
    try {
      const outcome = await scoreOne(picture, this.#given.tools);
      const word =
        "score" in outcome
          ? outcome.stored
            ? "stored"
            : "scored"
          : outcome.failure.kind === "passing"
            ? "retried"
            : "dead";
      this.#given.metrics.picture(word, (performance.now() - start) / 1000);
      return outcome;
    } finally {
      this.#inHand--;
    }
  }
}

/** An outcome as the events of the queue tell it. */
function told(outcome: Outcome): object {
  if ("score" in outcome) return outcome;
  const { reason, error } = outcome.failure;
  return { picture: outcome.picture, reason, error };
}

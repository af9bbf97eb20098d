import { resolve } from "node:path";
import type { Queue } from "bullmq";
import { adoptTraining } from "../experiments/finished-file.ts";
import type { PlannedTraining } from "../experiments/plan.ts";
import { type Experiment, neededBy } from "../experiments/runner.ts";
import { isDone } from "../experiments/train-planned.ts";
import { expectVersion, prefix } from "./connection.ts";
import { keysOf, openQueue, pause, workerLapseMs } from "./queue.ts";
import { redacted } from "./redact.ts";
import { adaptersKey, surroundingsWords, type TrainingJob, trainingId, trainingQueue } from "./training-jobs.ts";

export interface ExperimentQueueOptions {
  /** Address of the Redis. */
  readonly queue: string;
  /** Tells queues of one Redis apart. @default "pictures" */
  readonly name?: string;
  readonly signal?: AbortSignal;
  readonly checkpointSeconds?: number;
  /** Told, in sentences, how far it is. */
  readonly log?: (line: string) => void;
}

/** How often the state of trainings is looked at, milliseconds, and how often the lack of workers is told. */
const [lookMs, complainMs] = [500, 30_000];

/**
 * Has workers do the trainings of an experiment, each once and after those that it goes on from, and takes what they find into the experiment's
 * store. What failed is failed in the experiment, too.
 * @throws QueueError; the signal's reason, which leaves the trainings in hand to their workers
 */
export async function trainOnWorkers(experiment: Experiment, options: ExperimentQueueOptions): Promise<void> {
  const { queue: url, name = "pictures", signal, log = () => {} } = options;
  await using opened = await openQueue(url, { name, ...(signal && { signal }), onNote: log });
  const { connection } = opened;
  const own = trainingQueue(name, experiment.surroundings);
  await expectVersion(connection, own);
  const queue = new connection.bull.Queue<TrainingJob>(own, { connection: connection.redis, prefix });
  queue.on("error", () => {}); // told by the connection
  try {
    const coordination = new Coordination(experiment, queue, options);
    let complained = Number.NEGATIVE_INFINITY;
    while (!(await coordination.look())) {
      if (
        performance.now() - complained > complainMs &&
        (await coordination.lacksWorkers(connection.redis.zcount.bind(connection.redis)))
      ) {
        complained = performance.now();
        const heard = await connection.redis.hgetall(adaptersKey(name));
        const others = Object.entries(heard).flatMap(([words, at]) =>
          Date.now() - Number(at) < workerLapseMs ? [words] : [],
        );
        log(
          `no worker takes trainings for ${surroundingsWords(experiment.surroundings)}: start \`acutance worker --experiments\` on such machines` +
            (others.length > 0 ? ` (others have ${others.join("; ")}, which give other bits)` : ""),
        );
      }
      await pause(lookMs, signal);
    }
  } finally {
    await queue.close().catch(() => {});
  }
}

class Coordination {
  readonly #experiment: Experiment;
  readonly #queue: Queue<TrainingJob>;
  readonly #options: ExperimentQueueOptions;
  readonly #all: readonly PlannedTraining[];
  /** Trainings that jobs were made for in this call. */
  readonly #sent = new Set<string>();
  readonly #failed = new Map<string, string>();
  readonly #done = new Set<string>();

  constructor(experiment: Experiment, queue: Queue<TrainingJob>, options: ExperimentQueueOptions) {
    this.#experiment = experiment;
    this.#queue = queue;
    this.#options = options;
    this.#all = experiment.trainings;
  }

  /** Takes in what is done, and sends what can be. @returns whether nothing is left */
  async look(): Promise<boolean> {
    let left = 0;
    for (const training of this.#all) {
      const { key } = training;
      if (this.#done.has(key) || this.#failed.has(key)) continue;
      if (await this.#isDone(training)) {
        this.#done.add(key);
        if (this.#sent.has(key)) this.#tell(training, "is done");
        continue;
      }
      const needed = neededBy(training);
      const lost = needed.find((one) => this.#failed.has(one.key));
      if (lost) {
        this.#fail(training, this.#failed.get(lost.key)!);
        continue;
      }
      left++;
      if (needed.every((one) => this.#done.has(one.key))) await this.#ensureSent(training);
    }
    return left === 0;
  }

  async lacksWorkers(count: (key: string, from: number, to: string) => Promise<number>): Promise<boolean> {
    return (await count(keysOf(this.#queue.name).workers, Date.now() - workerLapseMs, "+inf")) === 0;
  }

  /** Models that others go on from have to be there, too. */
  async #isDone(training: PlannedTraining): Promise<boolean> {
    const { store } = this.#experiment;
    if (!(await adoptTraining(store, training))) return false;
    const isNeeded = this.#all.some(
      (other) => neededBy(other).includes(training) && !this.#done.has(other.key) && !isDone(store, other),
    );
    return isDone(store, training, isNeeded);
  }

  async #ensureSent(training: PlannedTraining): Promise<void> {
    const { key } = training;
    const id = trainingId(key);
    const job = await this.#queue.getJob(id);
    if (job && (await job.isFailed())) {
      if (this.#sent.has(key)) return this.#fail(training, job.failedReason);
      // Of an earlier call: the same command again tries again.
      await job.remove();
    } else if (job) {
      this.#sent.add(key);
      return;
    }
    const { checkpointSeconds = 300 } = this.#options;
    const { recipe } = this.#experiment.plan;
    const store = resolve(this.#experiment.store.folder);
    const data = { recipe, key, store, checkpointSeconds, title: this.#title(training) };
    await this.#queue.add("t", data, { jobId: id, removeOnComplete: true, removeOnFail: { age: 7 * 24 * 3600 } });
    this.#sent.add(key);
  }

  #fail(training: PlannedTraining, reason: string): void {
    this.#failed.set(training.key, reason);
    this.#experiment.fail(training.key, reason);
    this.#tell(training, `failed: ${redacted(reason)}`);
  }

  #tell(training: PlannedTraining, what: string): void {
    const ended = this.#done.size + this.#failed.size;
    this.#options.log?.(`${ended} of ${this.#all.length} trainings: ${this.#title(training)} ${what}`);
  }

  #title({ key, phase }: PlannedTraining): string {
    const run = this.#experiment.plan.runs.find(({ trainings }) => trainings.some((one) => one.key === key));
    return `${run ? `${run.variant.name}, split ${run.repeat.split}, ` : ""}${phase.name}`;
  }
}

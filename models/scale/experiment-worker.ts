import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker as BullWorker, Job } from "bullmq";
import type { DeviceSource } from "../../engine/device/source.ts";
import packageJson from "../../package.json" with { type: "json" };
import { TrainingBusyError } from "../experiments/claim.ts";
import { isPublished, publishTraining } from "../experiments/finished-file.ts";
import { HeldDevice } from "../experiments/held-device.ts";
import { canonicalJson } from "../experiments/key.ts";
import { adapterOf, Experiment, reasonOf } from "../experiments/runner.ts";
import { trainPlanned } from "../experiments/train-planned.ts";
import type { LogEntry } from "../service/options.ts";
import { FolderBusyError } from "../training/folder-lock.ts";
import { type TrainingHooks, TrainingInterrupted } from "../training/training.ts";
import { expectVersion, prefix } from "./connection.ts";
import { Presence } from "./presence.ts";
import { openQueue, type PictureQueue } from "./queue.ts";
import { redacted } from "./redact.ts";
import { adaptersKey, surroundingsWords, type TrainingJob, trainingQueue } from "./training-jobs.ts";

/** How {@link openExperimentWorker} opens a worker. */
export interface ExperimentWorkerOptions {
  readonly queue: string;
  readonly name?: string;
  readonly signal?: AbortSignal;
  readonly waits?: boolean;
  readonly device: DeviceSource;
  /** A worker that has said nothing for so long is taken for ended, and its training goes to another, seconds. @default 30 */
  readonly lockSeconds?: number;
  readonly featureFolder?: string;
  readonly tune?: TrainingHooks["tune"];
  readonly log?: (entry: LogEntry) => void;
}

/** How long a training waits whose folder another worker has, which may have ended, milliseconds. */
const busyMs = 5000;

/**
 * Opens queue and device, and begins to take trainings of experiments, one at a time. Their checkpoints, models and results lie in the folder that
 * the experiment names, which all workers have under the same path; a training whose worker ends is gone on with from there.
 * @throws QueueError; NoAdapterError
 */
export async function openExperimentWorker(options: ExperimentWorkerOptions): Promise<ExperimentWorker> {
  const { name = "pictures", signal, waits, log = () => {} } = options;
  const onNote = (message: string) => log({ level: "warn", event: "note", message });
  const queue = await openQueue(options.queue, {
    name,
    onNote,
    ...(signal && { signal }),
    ...(waits !== undefined && { waits }),
  });
  const device = new HeldDevice(options.device);
  try {
    const surroundings = { adapter: adapterOf(await device.get()), version: packageJson.version };
    const own = trainingQueue(name, surroundings);
    await expectVersion(queue.connection, own);
    const folder = await mkdtemp(join(tmpdir(), "acutance-trainings-"));
    return new ExperimentWorker(options, { queue, device, own, surroundings: surroundingsWords(surroundings), folder });
  } catch (error) {
    device[Symbol.dispose]();
    await queue.close();
    throw error;
  }
}

interface Opened {
  readonly queue: PictureQueue;
  readonly device: HeldDevice;
  /** Name of the queue of trainings. */
  readonly own: string;
  /** Adapter and version in words. */
  readonly surroundings: string;
  /** For a store of this worker's own. */
  readonly folder: string;
}

/** Takes trainings of experiments from a queue; made by {@link openExperimentWorker}. */
export class ExperimentWorker implements AsyncDisposable {
  readonly queue: PictureQueue;
  readonly done: Promise<void>;
  readonly #options: ExperimentWorkerOptions;
  readonly #opened: Opened;
  readonly #worker: BullWorker<TrainingJob>;
  readonly #stop = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  readonly #presence: Presence;
  /** The experiment of the last training, whose pictures were read and hashed. */
  #experiment: { readonly of: string; readonly opened: Experiment } | undefined;
  #draining: Promise<void> | undefined;

  /** Use {@link openExperimentWorker}. */
  constructor(options: ExperimentWorkerOptions, opened: Opened) {
    this.#options = options;
    this.#opened = opened;
    this.queue = opened.queue;
    this.done = this.#ended.promise;
    const lockDuration = 1000 * (options.lockSeconds ?? 30);
    this.#worker = new this.queue.connection.bull.Worker<TrainingJob>(
      opened.own,
      (job, token) => this.#process(job, token!),
      {
        connection: this.queue.connection.redis,
        prefix,
        concurrency: 1,
        lockDuration,
        stalledInterval: Math.max(1000, lockDuration / 2),
        // A training whose worker ended is gone on with, however often.
        maxStalledCount: 2 ** 30,
        drainDelay: 2,
      },
    );
    this.#worker.on("error", (error) => {
      if (this.queue.connection.isReady) this.#log("warn", "queue", redacted(error.message));
    });
    this.#presence = new Presence(this.queue.connection, opened.own, (pipeline, now) =>
      pipeline.hset(adaptersKey(this.queue.name), opened.surroundings, now),
    );
    options.signal?.addEventListener("abort", () => void this.drain(), { once: true });
  }

  get ready(): boolean {
    return !this.#draining && this.queue.connection.isReady;
  }

  /** What Prometheus is told. */
  readonly metrics = {
    text: async () => ({
      text: `# HELP acutance_worker_ready 1 while it takes trainings\n# TYPE acutance_worker_ready gauge\nacutance_worker_ready ${this.ready ? 1 : 0}\n`,
      type: "text/plain; version=0.0.4; charset=utf-8",
    }),
  };

  /** Stops the training in hand at its next step, with a checkpoint from which another worker goes on. */
  drain(): Promise<void> {
    this.#draining ??= this.#end();
    return this.#draining;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #end(): Promise<void> {
    this.#log("info", "draining");
    this.#stop.abort(new Error("the worker is to end"));
    await this.#presence[Symbol.asyncDispose]();
    await this.#worker.close().catch(() => {});
    this.#experiment?.opened[Symbol.dispose]();
    this.#opened.device[Symbol.dispose]();
    await this.queue.close();
    await rm(this.#opened.folder, { recursive: true, force: true });
    this.#ended.resolve();
  }

  async #process(job: Job<TrainingJob>, token: string): Promise<void> {
    const { WaitingError, DelayedError } = this.queue.connection.bull;
    const { title } = job.data;
    try {
      await this.#train(job.data);
      this.#log("info", "trained", title);
    } catch (error) {
      if (error instanceof TrainingInterrupted || this.#stop.signal.aborted) {
        this.#log("info", "given-back", title);
        await job.moveToWait(token);
        throw new WaitingError();
      }
      if (error instanceof FolderBusyError || error instanceof TrainingBusyError) {
        this.#log("warn", "busy", redacted(error.message));
        await job.moveToDelayed(Date.now() + busyMs, token);
        throw new DelayedError();
      }
      const reason = redacted(reasonOf(error));
      this.#log("error", "failed", `${title}: ${reason}`);
      throw new this.queue.connection.bull.UnrecoverableError(reason);
    }
  }

  async #train(data: TrainingJob): Promise<void> {
    const experiment = await this.#open(data);
    const { store, surroundings } = experiment;
    const training = experiment.trainings.find(({ key }) => key === data.key);
    if (!training)
      throw new Error(
        "the worker plans other trainings for this recipe: its pictures, scores or weights are not those of the experiment, or lie elsewhere",
      );
    // Its worker may have ended after all was written.
    if (await isPublished(store, training)) return;
    const { featureFolder, tune } = this.#options;
    this.#log("info", "training", data.title);
    await trainPlanned(training, store, this.#opened.device, surroundings, {
      label: data.title,
      signal: this.#stop.signal,
      checkpointSeconds: data.checkpointSeconds,
      testEachEpoch: experiment.plan.recipe.testEachEpoch,
      ...(featureFolder && { featureFolder }),
      ...(tune && { tune }),
      onKept: (what) => publishTraining(store, training.key, what),
    });
  }

  /** Plans the experiment of a training as whoever sent it has. */
  async #open({ recipe, store }: TrainingJob): Promise<Experiment> {
    const of = canonicalJson([recipe, store]);
    if (this.#experiment?.of === of) return this.#experiment.opened;
    this.#experiment?.opened[Symbol.dispose]();
    this.#experiment = undefined;
    // SQLite in a folder that machines share would be damaged: each has its own, and files beside the models tell of what is found.
    const database = join(this.#opened.folder, `${randomUUID()}.sqlite`);
    const opened = await Experiment.open(recipe, store, await this.#opened.device.get(), {
      signal: this.#stop.signal,
      database,
    });
    this.#experiment = { of, opened };
    return opened;
  }

  #log(level: LogEntry["level"], event: string, message?: string): void {
    this.#options.log?.({ level, event, ...(message !== undefined && { message }) });
  }
}

import type { Device } from "../../engine/device/device.ts";
import type { DeviceLease } from "../../engine/device/shared.ts";
import { Tensor } from "../../engine/tensor.ts";
import { FairQueue } from "../data/fair-queue.ts";
import { type Companions, readFeatures } from "../networks/companions.ts";
import { answersAndFeaturesOf, answersOf, centrePass, Forward, fittingBatch } from "../networks/forward.ts";
import { type ModelCard, openModel, type QualityNetwork } from "../networks/model.ts";
import { shownSide } from "../networks/options.ts";
import { uploadView } from "../views/crops.ts";

/** One run of the network. */
export interface BatchReport {
  /** Views taken through the network at once: pictures, or parts of them. */
  readonly size: number;
  /** From when the adapter was free for it until its answers were read, by the host's clock. */
  readonly milliseconds: number;
}

export interface NetworkOptions {
  /** The most views at once; fewer where they do not fit the memory. */
  readonly batch: number;
  /** Whether pooled features are given in any case. */
  readonly features?: boolean | undefined;
  /** How long a view waits for others that are on their way while the adapter is idle. */
  readonly latencyMs: number;
  /** What it throws, the callers of the batch get. */
  readonly onBatch: (report: BatchReport) => void;
}

/** What the network makes of a view. */
export interface Answered {
  readonly answer: Float32Array;
  /** Its pooled feature, where that is asked for or a companion of the model needs it. */
  readonly feature?: Float32Array;
}

interface Waiting {
  readonly view: Tensor;
  readonly since: number;
  readonly resolve: (answered: Answered) => void;
  readonly reject: (error: unknown) => void;
}

/** What pictures are like for which kernels are compiled ahead. */
const usualPicture = { width: 640, height: 480, pixels: new Uint8Array(640 * 480 * 3) };

/** So many runs are handed over to the adapter at a time: it works on one while the host prepares the next. */
const mostRunning = 2;

/**
 * A model on one device, and the views that wait to go through it. Views of all callers share batches: while a batch runs
 * the next one gathers, and when none runs the first view waits for those announced, up to the latency budget.
 * Once its device has failed, everything waiting ends with the failure.
 */
export class Network {
  readonly model: QualityNetwork;
  readonly card: ModelCard;
  readonly companions: Companions;
  /** Sentences on the model's file. */
  readonly notes: readonly string[];
  readonly #options: NetworkOptions;
  readonly #withFeatures: boolean;
  /** Views of a full batch. */
  readonly batch: number;
  readonly #forward: Forward;
  /** The longest waiting first. */
  readonly #waiting = new Set<Waiting>();
  /** The same in the order in which they get their places in batches. */
  readonly #order = new FairQueue<Waiting>();
  readonly #forPlace: (() => void)[] = [];
  #announced = 0;
  #running = 0;
  #lastDone = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly #lease: DeviceLease;
  /** Resolves when the kernels of a first picture are compiled; does not reject. */
  readonly prepared: Promise<void>;

  private constructor(
    lease: DeviceLease,
    { model, card, companions, notes }: Awaited<ReturnType<typeof openModel>>,
    options: NetworkOptions,
  ) {
    this.#lease = lease;
    this.model = model;
    this.card = card;
    this.companions = companions;
    this.notes = notes;
    this.#options = options;
    const { device } = model;
    const { crop } = model.options;
    this.#withFeatures = options.features === true || readFeatures(companions);
    const pass = centrePass(model, this.#withFeatures ? answersAndFeaturesOf(model) : answersOf(model));
    const picture = () => Tensor.empty(device, [1, crop, crop, 3]);
    this.batch = Math.min(options.batch, fittingBatch(device, picture, pass));
    this.#forward = new Forward(device, this.batch, pass);
    const first = () => {
      using forward = new Forward(device, this.batch, pass);
      using view = uploadView(device, { picture: usualPicture, side: shownSide(model.options) }, crop);
      forward.run([view], (output) => output.read());
    };
    // What goes wrong, a picture's run finds out again.
    this.prepared = device.prepare(first).catch(() => {});
  }

  /**
   * Loads a model on a device, which is released when that fails.
   * @throws SafetensorsError when the file is no model; OutOfMemoryError when not one picture fits
   */
  static async load(lease: DeviceLease, path: string, options: NetworkOptions): Promise<Network> {
    let model: QualityNetwork | undefined;
    try {
      const opened = await openModel(lease.device, path);
      model = opened.model;
      return new Network(lease, opened, options);
    } catch (error) {
      model?.dispose();
      lease.release();
      throw error;
    }
  }

  get device(): Device {
    return this.model.device;
  }

  /** True once the device cannot be used any more. */
  get broken(): boolean {
    return !this.device.usable;
  }

  /** Views that wait for their batch. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Says that a picture is on its way; the returned function, that it has come or will not come. */
  announce(): () => void {
    this.#announced++;
    let isPending = true;
    return () => {
      if (!isPending) return;
      isPending = false;
      this.#announced--;
      this.#pump();
    };
  }

  /** Resolves when fewer views wait than make a batch: what waits is bounded by those who come through here. */
  async place(): Promise<void> {
    while (this.#waiting.size >= this.batch) await new Promise<void>((resolve) => this.#forPlace.push(resolve));
  }

  /**
   * What the network answers to views [1, crop, crop, 3], in order; each has the bits it would have alone. The views
   * are the network's from now on. An abort takes those that wait out of the queue. Clients whose views wait at the same time get equal
   * shares of the batches.
   * @throws the signal's reason; DeviceLostError; what else went wrong on the device
   */
  async score(
    views: readonly Tensor[],
    { signal, client = "" }: { readonly signal?: AbortSignal; readonly client?: string } = {},
  ): Promise<Answered[]> {
    const entries: Waiting[] = [];
    const since = performance.now();
    const results = views.map(
      (view) =>
        new Promise<Answered>((resolve, reject) => {
          entries.push({ view, since, resolve, reject });
        }),
    );
    for (const entry of entries) {
      this.#waiting.add(entry);
      this.#order.push(client, 1, entry);
    }
    const abort = () => {
      this.#drop(entries);
      for (const { reject } of entries) reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    else this.#pump();
    try {
      return await Promise.all(results);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Says that the device is not used any more; what waits or runs ends with its failure. */
  release(): void {
    this.#lease.release();
  }

  /** Ends the model and releases its device; whoever called for what still waits or runs must have given it up. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#drop([...this.#waiting]);
    this.#forward.dispose();
    this.model.dispose();
    this.release();
  }

  #drop(entries: readonly Waiting[]): void {
    for (const entry of entries) {
      if (!this.#waiting.delete(entry)) continue;
      this.#order.remove(entry);
      entry.view.dispose();
    }
    this.#givePlaces();
  }

  #pump(): void {
    while (this.#running < mostRunning && this.#waiting.size >= this.batch) this.#start();
    const [first] = this.#waiting;
    if (!first || this.#running > 0) return;
    const leftMs = first.since + this.#options.latencyMs - performance.now();
    if (this.#announced === 0 || leftMs <= 0) {
      this.#start();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, leftMs);
  }

  #start(): void {
    const entries = this.#next();
    const views = entries.map(({ view }) => view);
    const began = performance.now();
    this.#running++;
    void this.#run(views)
      .then((all) => {
        const done = performance.now();
        const milliseconds = done - Math.max(began, this.#lastDone);
        this.#lastDone = done;
        this.#options.onBatch({ size: entries.length, milliseconds });
        entries.forEach(({ resolve }, i) => {
          resolve(this.#answered(all, i));
        });
      })
      .catch((error: unknown) => {
        for (const { reject } of entries) reject(error);
      })
      .finally(() => {
        this.#running--;
        this.#pump();
      });
    this.#givePlaces();
  }

  /** What came of the i-th view of a batch. */
  #answered(all: Float32Array, i: number): Answered {
    const { answerLength, featureLength } = this.model;
    const length = answerLength + (this.#withFeatures ? featureLength : 0);
    const row = all.slice(i * length, (i + 1) * length);
    if (!this.#withFeatures) return { answer: row };
    return { answer: row.subarray(0, answerLength), feature: row.subarray(answerLength) };
  }

  /** The views of the next batch, which wait no more. */
  #next(): Waiting[] {
    const entries: Waiting[] = [];
    while (entries.length < this.batch) {
      const entry = this.#order.shift();
      if (!entry) break;
      this.#waiting.delete(entry);
      entries.push(entry);
    }
    return entries;
  }

  async #run(views: readonly Tensor[]): Promise<Float32Array> {
    let read: Promise<Float32Array>;
    try {
      read = this.#forward.run(views, (output) => output.read());
    } finally {
      for (const view of views) view.dispose();
    }
    return read;
  }

  #givePlaces(): void {
    for (const resolve of this.#forPlace.splice(0)) resolve();
  }
}

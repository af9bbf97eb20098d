import { type Checks, callback, expectArgument, expectOptions, flag, number } from "../arguments.ts";
import { environmentVariable } from "../host/environment.ts";
import type { Journal } from "../journal.ts";
import { Dispatcher } from "../kernel/dispatch.ts";
import type { Plan } from "../kernel/plan.ts";
import { texelsPerLine } from "../kernel/storage.ts";
import { Stream } from "../kernel/stream.ts";
import type { BufferPool, MemoryUse } from "../memory/pool.ts";
import type { MemoryReport } from "../memory/report.ts";
import { ScopeStack } from "../memory/scope.ts";
import { NumberCheck } from "../numbers.ts";
import type { Labels } from "../profile/labels.ts";
import type { RankRows, Ranks } from "../ranks/ranks.ts";
import { Tuner } from "../tune/tuner.ts";
import { dawnToggles } from "./dawn-toggles.ts";
import { DeviceMemory } from "./device-memory.ts";
import { GpuError } from "./errors.ts";
import { Lifetime } from "./lifetime.ts";
import type { MatrixUnit } from "./matrix-units.ts";
import type { DeviceInfo, OpenOptions } from "./options.ts";
import { Plans, type TraceOptions } from "./plans.ts";
import { rehearse } from "./rehearsal.ts";
import { looksLikeSoftware } from "./software.ts";
import type { SubgroupRange } from "./subgroups.ts";
import { vectorsWidened } from "./vectors.ts";

const traceChecks: Checks<TraceOptions> = { yielding: flag, later: flag };

/** One opened WebGPU device with its command stream, kernels, buffers and tensor scopes. */
export class Device {
  readonly gpu: GPUDevice;
  readonly info: DeviceInfo;
  readonly features: ReadonlySet<string>;
  readonly stream: Stream;
  readonly scopes = new ScopeStack();
  readonly kernels: Dispatcher;
  /** Chooses among ways to run an operation. */
  readonly tuner: Tuner;
  // Plain numbers: asking the GPU object for a limit costs the host more than a check of all operands.
  /** Workgroups that a grid may have along one axis. */
  readonly mostWorkgroups: number;
  /** Bytes of which the start of a window of a buffer is a multiple. */
  readonly offsetAlignment: number;
  /** Largest window of a buffer that one kernel argument can show, bytes. */
  readonly maximumBindingBytes: number;
  /** Invocations of a subgroup when it is the same for every kernel, else 0: kernels with broadcasts need to know it. */
  readonly subgroupSize: number;
  /** Texels that kernels fetch faster than the elements of a buffer, as many as a texture can have; else 0. */
  readonly texels: number;
  /** Invocations that a subgroup of the adapter has at least and at most, known without the feature too. */
  readonly subgroups: SubgroupRange;
  /** Subgroup matrices that contractions run on, the best first; empty unless the device was opened with them. */
  readonly matrixUnits: readonly MatrixUnit[];
  /** Convolutions may use Winograd's method. */
  readonly winograd: boolean;
  /** What examines all numbers, when the device was opened with `checkNumbers`. */
  readonly numbers: NumberCheck | undefined;
  /** Where operations are written down while somebody wants to know what is called. */
  journal: Journal | undefined;
  /** Processes that do the same work in step with this one, while there are such: what can be divided among them is. */
  ranks: Ranks | undefined;
  /** How the rows of the batch at hand are divided among them, while they are and batch norms go by all of them. */
  normRows: RankRows | undefined;
  /** Dawn features that are switched on or off; undefined when the device is not the package's. */
  readonly toggles: ReadonlyMap<string, boolean> | undefined;
  readonly #lifetime: Lifetime;
  readonly #memory: DeviceMemory;
  readonly #plans: Plans;

  constructor(
    gpu: GPUDevice,
    info: DeviceInfo,
    subgroups: SubgroupRange,
    options: OpenOptions = {},
    matrixUnits: readonly MatrixUnit[] = [],
  ) {
    this.gpu = gpu;
    this.info = info;
    this.matrixUnits = matrixUnits;
    this.features = new Set([...gpu.features].filter((feature) => !options.withoutFeatures?.includes(feature)));
    this.subgroups = subgroups;
    this.subgroupSize = this.features.has("subgroups") && subgroups.min === subgroups.max ? subgroups.min : 0;
    const alignment = gpu.limits.minStorageBufferOffsetAlignment;
    this.offsetAlignment = alignment;
    this.mostWorkgroups = gpu.limits.maxComputeWorkgroupsPerDimension;
    const binding = Math.min(
      gpu.limits.maxStorageBufferBindingSize,
      options.maximumBindingBytes ?? Number.MAX_SAFE_INTEGER,
    );
    this.maximumBindingBytes = Math.floor(binding / alignment) * alignment;
    // Mesa's software driver, by vectors of 512 bits; by those of 256 textures take as long as buffers.
    const wide = vectorsWidened() && this.isSoftware && this.subgroupSize === 16;
    this.texels = wide ? texelsPerLine * gpu.limits.maxTextureDimension2D : 0;
    this.stream = new Stream(gpu);
    if (info.provider === "webgpu") this.toggles = dawnToggles(options, environmentVariable("ACUTANCE_DAWN_TOGGLES"));
    this.#lifetime = new Lifetime(gpu, {
      forget: () => this.kernels.forgetGroups(),
      flush: () => this.stream.flush(),
      examine: () => this.numbers?.settle(),
    });
    this.#memory = new DeviceMemory(gpu, this.stream, this.scopes, {
      limitBytes: options.memoryLimitBytes,
      isSoftware: this.isSoftware,
      relieve: () => this.#plans.endYielding(),
      fail: (error) => this.fail(error, true),
    });
    this.#plans = new Plans(this.#memory, this.stream, this.scopes, this.#lifetime);
    this.kernels = new Dispatcher(this);
    this.winograd = options.winograd ?? environmentVariable("ACUTANCE_WINOGRAD") !== "0";
    if (options.checkNumbers ?? environmentVariable("ACUTANCE_CHECK_NUMBERS") === "1")
      this.numbers = new NumberCheck(this);
    this.tuner = new Tuner(this);
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault?.();
      this.fail(this.#memory.typed((event as GPUUncapturedErrorEvent).error));
    });
  }

  /** Calls `listener` once the GPU is gone, lost or closed, at once when it is; the returned function takes it back. */
  onLoss(listener: () => void): () => void {
    return this.#lifetime.onLoss(listener);
  }

  /**
   * Takes in an error that WebGPU reported late. All waits in progress end with it, or else the next {@link check}; then it is
   * told, and the device goes on. What was recorded about the time of the error may not have been done.
   * @param isCause it explains others: what was refused because of it may be heard of first
   */
  fail(error: Error, isCause = false): void {
    this.#lifetime.fail(error, isCause);
  }

  /** False once the device is lost or closed. */
  get usable(): boolean {
    return this.#lifetime.usable;
  }

  /**
   * Throws why the device is gone, for good, or what has gone wrong on it, once. Called before every dispatch and after every
   * read.
   */
  check(): void {
    this.#lifetime.check();
  }

  /**
   * Runs `work` and frees every tensor it made except those it returns (a tensor, or an array or record of tensors).
   * `work` must be synchronous: start a read inside and await the promise outside, wrapped in a record.
   */
  scope<T>(work: () => T): T {
    if (typeof work !== "function") expectArgument("scope", "the work", work, callback);
    return this.scopes.run(work);
  }

  /** Says what recorded work is for, in profiles. */
  get labels(): Labels {
    return this.stream.labels;
  }

  /** The pool that tensors take their buffers from. */
  get memory(): BufferPool {
    return this.#memory.pool;
  }

  /** Bytes held and kept on the device. */
  get memoryUse(): MemoryUse {
    return this.#memory.pool.use;
  }

  /** Who holds how much of the device's memory, and what its peak was made of. */
  memoryReport(): MemoryReport {
    return this.#memory.report();
  }

  /**
   * The most that the device should hold in all, bytes: `memoryLimitBytes` when it was given; on a software adapter what
   * is held and four fifths of the free host memory; undefined on adapters that do not tell their memory.
   */
  get memoryBudgetBytes(): number | undefined {
    return this.#memory.budgetBytes;
  }

  /**
   * Runs synchronous `work` and counts the buffers it makes for `owner`, unless an inner call names another. Outside,
   * they are "scratch" within a scope and "other" without; outputs on the tape are "activations: <operation>".
   */
  owned<T>(owner: string, work: () => T): T {
    return this.#memory.owned(owner, work);
  }

  /**
   * How much memory `work` needs, without doing it: it runs with a pool that starts from the present state and only
   * counts, and nothing is uploaded, dispatched or read (reads give zeros). Tensors that it makes are gone afterwards,
   * those from before keep their elements. What it changes on the host (a step counter, say) is the caller's to undo.
   * @param work synchronous; for a training step let it do two, since the second may need more than the first
   * @param limitBytes what the pool may not grow beyond; {@link memoryBudgetBytes} unless given
   * @returns the report at the end of `work`, with the peak since its start
   * @throws OutOfMemoryError when it does not fit; what `work` throws
   */
  rehearse(work: () => unknown, limitBytes = this.memoryBudgetBytes ?? Number.POSITIVE_INFINITY): MemoryReport {
    expectArgument("rehearse", "the work", work, callback);
    expectArgument("rehearse", "the limit in bytes", limitBytes, number);
    // Nor does the real work find their memory taken.
    if (!this.stream.silent) this.#plans.endYielding();
    return rehearse(this.#memory, this.stream, this.scopes, work, limitBytes);
  }

  /**
   * Compiles the kernels of synchronous `work` at the same time, so that its first run does not wait for one after another. Nothing is done
   * but a {@link rehearse | rehearsal}. What cannot be compiled is told by the run that needs it.
   * @throws OutOfMemoryError when `work` does not fit; what `work` throws
   */
  async prepare(work: () => unknown): Promise<void> {
    expectArgument("prepare", "the work", work, callback);
    const compiled = this.kernels.prepare(() => this.rehearse(work));
    await this.settled(compiled);
  }

  /**
   * Does synchronous `work` once and records it, to be done again by {@link Plan.replay}: the same kernels on the same
   * buffers, with next to no work for the host, to the same bits. Tensors that it made and freed share the plan's buffers;
   * those it returns (one, or a record of them) are written anew by each replay. What changes from time to time is read
   * from tensors made before, or given to kernels as functions.
   * @param options `yielding`: the device may dispose of the plan when other work needs its memory; look at
   * {@link Plan.disposed} before a replay then; `later`: it is done by its first replay, not while it is recorded
   * @throws GpuError within another trace, while numbers are checked, and where `work` uploads
   */
  trace<T>(work: () => T, options: TraceOptions = {}): Plan<T> {
    expectArgument("trace", "the work", work, callback);
    expectOptions("trace", options, traceChecks);
    if (this.numbers) throw new GpuError("numbers are checked as operations are recorded; do not trace meanwhile");
    return this.#plans.trace(work, options);
  }

  /**
   * Waits for something the GPU does, and for the examination of all numbers recorded so far.
   * @throws DeviceLostError, and no other error, once the device is lost, whether or not `work` ever ends; what else has
   * gone wrong on the device; NumericError
   */
  settled<T>(work: Promise<T>): Promise<T> {
    return this.#lifetime.settled(work);
  }

  /** Waits until all recorded work has run and throws what went wrong in it. */
  async finish(): Promise<void> {
    this.check();
    await this.settled(this.stream.finish());
  }

  /** Frees the device and all its tensors. */
  close(): void {
    this.#lifetime.close();
  }

  /** Puts the end of the GPU objects at a close off until the returned function is called, for one who still reads from them. */
  hold(): () => void {
    return this.#lifetime.hold();
  }

  /** True when the adapter is a software driver, as far as its names tell. */
  get isSoftware(): boolean {
    const { vendor, architecture, description, isFallbackAdapter } = this.info;
    return isFallbackAdapter || looksLikeSoftware(`${vendor} ${architecture} ${description}`);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

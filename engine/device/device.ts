import { type Checks, callback, expectArgument, expectOptions, flag, number } from "../arguments.ts";
import { Dispatcher } from "../kernel/dispatch.ts";
import { Plan, PlanMemory, PlanRecorder } from "../kernel/plan.ts";
import { bufferUsage, Stream } from "../kernel/stream.ts";
import { hostBudgetBytes } from "../memory/budget.ts";
import { type Allocation, BufferPool, type MemoryUse } from "../memory/pool.ts";
import { formatBytes, type MemoryReport, memorySummary } from "../memory/report.ts";
import { ScopeStack } from "../memory/scope.ts";
import { NumberCheck, NumericError } from "../numbers.ts";
import type { Labels } from "../profile/labels.ts";
import { Tuner } from "../tune/tuner.ts";
import { DeviceLostError, GpuError, OutOfMemoryError } from "./errors.ts";
import type { MatrixUnit, SubgroupMatrixOptions } from "./matrix-units.ts";
import { looksLikeSoftware } from "./probe.ts";
import { dawnToggles, type FindGpuOptions } from "./provider.ts";

/** Where the device comes from and what of it is used; of the GPU objects the first of {@link findGpu} is taken. */
export interface OpenOptions extends FindGpuOptions {
  /** Features that must not be used although the adapter has them, e.g. `["subgroups"]` to test plain kernels. */
  readonly withoutFeatures?: readonly string[];
  /** Upper bound for one storage binding in bytes, below the adapter's own; for tests of large tensors. */
  readonly maximumBindingBytes?: number;
  readonly powerPreference?: GPUPowerPreference;
  /**
   * Examine the result of every operation, gradient and update, and throw a NumericError at the next read-back when one
   * holds a NaN or an infinity. Slower; for finding where they come from. Gradients of a scaled loss are left out, since the
   * scale is lowered when they overflow.
   * @default true when the environment variable ACUTANCE_CHECK_NUMBERS is 1
   */
  readonly checkNumbers?: boolean;
  /**
   * Make 3x3 convolutions by Winograd's method where their sides and channels let expect that it is faster. Results then
   * differ from those without in their last bits, up to 4e-6 of the largest number of one convolution.
   * @default true unless the environment variable ACUTANCE_WINOGRAD is 0
   */
  readonly winograd?: boolean;
  /** The most that tensors may hold on the device, with what the pool keeps for reuse, bytes. No limit unless given. */
  readonly memoryLimitBytes?: number;
  /**
   * Run products and convolutions of f16 tensors on the adapter's subgroup matrices. Experimental: Dawn has them behind its
   * toggle for unsafe interfaces (the package `webgpu` is opened with it), and bits differ from those of the plain kernels. They are
   * used when they agree with those on small contractions while the device is opened; {@link OpenOptions.onNote} tells if not.
   * @default as the environment variable ACUTANCE_SUBGROUP_MATRICES says: 1 on, f16 on with sums in f16; off without
   */
  readonly subgroupMatrices?: boolean | SubgroupMatrixOptions;
  /** Takes one sentence about what was asked for and cannot be had; console.warn unless given. */
  readonly onNote?: (note: string) => void;
}

/** What is known about the adapter behind a device. */
export interface DeviceInfo {
  readonly provider: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly isFallbackAdapter: boolean;
}

export interface TraceOptions {
  /** The device may dispose of the plan when other work needs its memory. */
  readonly yielding?: boolean;
}

const traceChecks: Checks<TraceOptions> = { yielding: flag };

/** A wait in progress: what ends it when the device is lost, and what went wrong on the device meanwhile. */
interface Wait {
  readonly end: (failure: Error) => void;
  fault: Error | undefined;
}

/** A rejected wait may be the first sign of a lost device: so long is its own notice waited for. */
const lossNoticeMs = 500;

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
  /** Largest window of a buffer that one kernel argument can show, bytes. */
  readonly maximumBindingBytes: number;
  /** Invocations of a subgroup when it is the same for every kernel, else 0: kernels with broadcasts need to know it. */
  readonly subgroupSize: number;
  /** Subgroup matrices that contractions run on, the best first; empty unless the device was opened with them. */
  readonly matrixUnits: readonly MatrixUnit[];
  /** Convolutions may use Winograd's method. */
  readonly winograd: boolean;
  /** What examines all numbers, when the device was opened with `checkNumbers`. */
  readonly numbers: NumberCheck | undefined;
  readonly #waits = new Set<Wait>();
  /** Told when the device is lost or closed. */
  readonly #losses = new Set<() => void>();
  #isLost = false;
  /** Dawn features that are switched on or off; undefined when the device is not the package's. */
  readonly toggles: ReadonlyMap<string, boolean> | undefined;
  readonly #memoryLimitBytes: number | undefined;
  #memory: BufferPool;
  /** Plans that end when others need their memory. */
  readonly #yielding = new Set<Disposable>();
  #owner: string | undefined;
  /** Why the device is gone. */
  #loss: Error | undefined;
  /** What WebGPU refused or ran out of, until somebody is told. */
  #fault: Error | undefined;
  #closed = false;
  /** Those who still need the GPU after a close. */
  #holders = 0;

  constructor(
    gpu: GPUDevice,
    info: DeviceInfo,
    subgroupSize: number,
    options: OpenOptions = {},
    matrixUnits: readonly MatrixUnit[] = [],
  ) {
    this.gpu = gpu;
    this.info = info;
    this.matrixUnits = matrixUnits;
    this.features = new Set([...gpu.features].filter((feature) => !options.withoutFeatures?.includes(feature)));
    this.subgroupSize = this.features.has("subgroups") ? subgroupSize : 0;
    const alignment = gpu.limits.minStorageBufferOffsetAlignment;
    const binding = Math.min(
      gpu.limits.maxStorageBufferBindingSize,
      options.maximumBindingBytes ?? Number.MAX_SAFE_INTEGER,
    );
    this.maximumBindingBytes = Math.floor(binding / alignment) * alignment;
    this.stream = new Stream(gpu);
    if (info.provider === "webgpu") this.toggles = dawnToggles(options, process.env["ACUTANCE_DAWN_TOGGLES"]);
    this.#memoryLimitBytes = options.memoryLimitBytes;
    this.#memory = new BufferPool(
      (size) => this.#createBuffer(size),
      (buffer) => this.stream.destroyLater(buffer),
      {
        largestBufferBytes: gpu.limits.maxBufferSize,
        limitBytes: this.#memoryLimitBytes,
        relieve: () => this.#endYielding(),
        hint: () => this.#unscoped(),
        owner: () => this.#owner ?? (this.scopes.depth > 0 ? "scratch" : "other"),
      },
    );
    this.kernels = new Dispatcher(this);
    this.winograd = options.winograd ?? process.env["ACUTANCE_WINOGRAD"] !== "0";
    if (options.checkNumbers ?? process.env["ACUTANCE_CHECK_NUMBERS"] === "1") this.numbers = new NumberCheck(this);
    this.tuner = new Tuner(this);
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault?.();
      this.fail(this.#typed((event as GPUUncapturedErrorEvent).error));
    });
    gpu.lost.then((lost) => {
      const lossOf = () => new DeviceLostError(lost.message || lost.reason || "no reason given");
      const failure = this.#closed ? (this.#fault ?? closedError()) : lossOf();
      this.#loss = failure;
      for (const { end } of this.#waits) end(failure);
      this.#isLost = true;
      for (const listener of this.#losses) listener();
      this.#losses.clear();
    });
  }

  /** Calls `listener` once the GPU is gone, lost or closed, at once when it is; the returned function takes it back. */
  onLoss(listener: () => void): () => void {
    if (this.#isLost) listener();
    else this.#losses.add(listener);
    return () => this.#losses.delete(listener);
  }

  /**
   * Takes in an error that WebGPU reported late. All waits in progress end with it, or else the next {@link check}; then it is
   * told, and the device goes on. What was recorded about the time of the error may not have been done.
   * @param isCause it explains others: what was refused because of it may be heard of first
   */
  fail(error: Error, isCause = false): void {
    const fault = isCause ? error : (this.#fault ?? error);
    this.#fault = fault;
    for (const wait of this.#waits) wait.fault = fault;
  }

  /** False once the device is lost or closed. */
  get usable(): boolean {
    return !this.#loss && !this.#closed;
  }

  /**
   * Throws why the device is gone, for good, or what has gone wrong on it, once. Called before every dispatch and after every
   * read.
   */
  check(): void {
    if (this.#loss) throw this.#loss;
    if (this.#fault) throw this.#told(this.#fault);
    if (this.#closed) throw closedError();
  }

  /** The fault, which is not told again. */
  #told(fault: Error): Error {
    if (this.#fault === fault) {
      this.#fault = undefined;
      this.kernels.forgetGroups();
      // Commands that were recorded with what was refused are refused with it: that is the same fault.
      if (this.usable) this.#quietly(() => this.stream.flush());
    }
    return fault;
  }

  /** Resolves when all errors so far have been heard of. */
  async #heard(): Promise<void> {
    this.gpu.pushErrorScope("validation");
    await this.gpu.popErrorScope().catch(() => {}); // the device went away; its own loss is reported
  }

  /** Does something whose errors nobody is told. */
  #quietly(work: () => void): void {
    const { gpu } = this;
    gpu.pushErrorScope("validation");
    try {
      work();
    } finally {
      gpu.popErrorScope().catch(() => {}); // the device went away; its own loss is reported
    }
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
    return this.#memory;
  }

  /** Bytes held and kept on the device. */
  get memoryUse(): MemoryUse {
    return this.#memory.use;
  }

  /** Who holds how much of the device's memory, and what its peak was made of. */
  memoryReport(): MemoryReport {
    const report = this.#memory.report();
    // Read-back buffers lie in host memory and are not part of the peak.
    const readBack = this.stream.readBack.uses().map((use) => ({ ...use, atPeakBytes: 0 }));
    return { ...report, owners: [...report.owners, ...readBack] };
  }

  /**
   * The most that the device should hold in all, bytes: `memoryLimitBytes` when it was given; on a software adapter what
   * is held and four fifths of the free host memory; undefined on adapters that do not tell their memory.
   */
  get memoryBudgetBytes(): number | undefined {
    if (this.#memoryLimitBytes !== undefined) return this.#memoryLimitBytes;
    if (!this.isSoftware) return undefined;
    const { usedBytes, freeBytes } = this.memoryUse;
    return usedBytes + freeBytes + hostBudgetBytes();
  }

  /**
   * Runs synchronous `work` and counts the buffers it makes for `owner`, unless an inner call names another. Outside,
   * they are "scratch" within a scope and "other" without; outputs on the tape are "activations: <operation>".
   */
  owned<T>(owner: string, work: () => T): T {
    const before = this.#owner;
    this.#owner = owner;
    try {
      return work();
    } finally {
      this.#owner = before;
    }
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
    if (this.stream.silent) throw new GpuError("a rehearsal cannot run within another");
    // Nor does the real work find their memory taken.
    this.#endYielding();
    const real = this.#memory;
    const ended: Allocation[] = [];
    this.#memory = real.rehearsal(limitBytes, ended);
    this.stream.silent = true;
    let report: MemoryReport | undefined;
    try {
      this.scopes.runAndFree(() => {
        const result = work();
        report = this.#memory.report();
        return result;
      });
      return report!;
    } finally {
      this.stream.silent = false;
      this.#memory = real;
      for (const allocation of ended) real.release(allocation);
    }
  }

  /**
   * Does synchronous `work` once and records it, to be done again by {@link Plan.replay}: the same kernels on the same
   * buffers, with next to no work for the host, to the same bits. Tensors that it made and freed share the plan's buffers;
   * those it returns (one, or a record of them) are written anew by each replay. What changes from time to time is read
   * from tensors made before, or given to kernels as functions.
   * @param options `yielding`: the device may dispose of the plan when other work needs its memory; look at
   * {@link Plan.disposed} before a replay then
   * @throws GpuError within another trace, while numbers are checked, and where `work` uploads
   */
  trace<T>(work: () => T, options: TraceOptions = {}): Plan<T> {
    expectArgument("trace", "the work", work, callback);
    expectOptions("trace", options, traceChecks);
    const { yielding = false } = options;
    if (this.#memory.plan) throw new GpuError("a trace cannot run within another");
    if (this.numbers) throw new GpuError("numbers are checked as operations are recorded; do not trace meanwhile");
    const recorder = new PlanRecorder();
    const memory = new PlanMemory();
    this.#memory.plan = memory;
    // A rehearsal counts the buffers of the plan and records nothing.
    if (!this.stream.silent) this.stream.recorder = recorder;
    const unlabel = this.labels.hold();
    const end = () => {
      this.#memory.plan = undefined;
      this.stream.recorder = undefined;
      unlabel();
    };
    const release = () => {
      this.stream.forget(recorder);
      for (const allocation of memory.dissolve()) this.#memory.release(allocation);
    };
    try {
      const { result, dispose } = this.scopes.runAndKeep(work);
      end();
      const plan = new Plan(
        () => this.#replay(recorder),
        recorder,
        result,
        () => {
          this.#yielding.delete(plan);
          dispose();
          release();
        },
      );
      if (yielding) this.#yielding.add(plan);
      return plan;
    } catch (error) {
      end();
      release();
      throw error;
    }
  }

  /** Disposes of plans that others may end; false when there was none. */
  #endYielding(): boolean {
    const plans = [...this.#yielding];
    for (const plan of plans) plan[Symbol.dispose]();
    return plans.length > 0;
  }

  #replay(recorder: PlanRecorder): void {
    this.check();
    if (!this.stream.silent) this.stream.replay(recorder);
  }

  /**
   * Waits for something the GPU does, and for the examination of all numbers recorded so far.
   * @throws DeviceLostError, and no other error, once the device is lost, whether or not `work` ever ends; what else has
   * gone wrong on the device; NumericError
   */
  async settled<T>(work: Promise<T>): Promise<T> {
    let end: (failure: Error) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    const wait: Wait = { end, fault: undefined };
    const check = async () => {
      if (wait.fault || this.#fault) await this.#heard();
      if (wait.fault && !this.#loss) throw this.#told(wait.fault);
      this.check();
    };
    this.#waits.add(wait);
    try {
      const [value] = await Promise.race([Promise.all([work, this.numbers?.settle()]), ended]);
      await check();
      return value;
    } catch (error) {
      if (error === wait.fault) throw error;
      await check();
      if (error instanceof NumericError) throw error;
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, lossNoticeMs))]);
      throw error;
    } finally {
      this.#waits.delete(wait);
    }
  }

  /** Waits until all recorded work has run and throws what went wrong in it. */
  async finish(): Promise<void> {
    this.check();
    await this.settled(this.stream.finish());
  }

  /** Frees the device and all its tensors. */
  close(): void {
    this.#closed = true;
    if (this.#holders === 0) this.gpu.destroy();
  }

  /** Puts the end of the GPU objects at a close off until the returned function is called, for one who still reads from them. */
  hold(): () => void {
    this.#holders++;
    return () => {
      if (--this.#holders === 0 && this.#closed) this.gpu.destroy();
    };
  }

  /** True when the adapter is a software driver, as far as its names tell. */
  get isSoftware(): boolean {
    const { vendor, architecture, description, isFallbackAdapter } = this.info;
    return isFallbackAdapter || looksLikeSoftware(`${vendor} ${architecture} ${description}`);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #createBuffer(size: number): GPUBuffer {
    const { gpu } = this;
    // Only here is it known which buffer it was that did not fit.
    gpu.pushErrorScope("out-of-memory");
    const buffer = gpu.createBuffer({
      size,
      usage: bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination,
    });
    const pool = this.#memory;
    gpu.popErrorScope().then(
      (error) => {
        if (!error) return;
        pool.spoil(buffer);
        this.fail(this.#typed(error, "GPUOutOfMemoryError"), true);
      },
      () => {}, // the device went away; its own loss is reported
    );
    return buffer;
  }

  /** An error that WebGPU reports late, as one of ours. */
  #typed(error: GPUError, kind = error.constructor.name): GpuError {
    // The runtimes disagree on whether the error classes are globals.
    if (kind !== "GPUOutOfMemoryError") return new GpuError(error.message);
    const { usedBytes } = this.memoryUse;
    return new OutOfMemoryError(
      `the driver is out of memory (${error.message}); ${formatBytes(usedBytes)} are in use, at the peak ${memorySummary(this.memoryReport())}${this.#unscoped()}`,
    );
  }

  /** Says how much lies outside of all scopes, when that is much of what is held. */
  #unscoped(): string {
    const { tensors, bytes } = this.scopes.loose;
    if (tensors < 2 || bytes < this.memoryUse.usedBytes / 4) return "";
    return `. ${tensors} tensors of ${formatBytes(bytes)} were made outside a scope and not disposed of; put the loop's body into device.scope(() => …)`;
  }
}

function closedError(): GpuError {
  return new GpuError("the device was closed");
}

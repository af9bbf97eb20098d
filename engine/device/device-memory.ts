import { bufferUsage, type Stream } from "../kernel/stream.ts";
import { hostBudgetBytes } from "../memory/budget.ts";
import { BufferPool } from "../memory/pool.ts";
import { formatBytes, type MemoryReport, memorySummary } from "../memory/report.ts";
import type { ScopeStack } from "../memory/scope.ts";
import { GpuError, OutOfMemoryError } from "./errors.ts";

interface MemoryOptions {
  readonly limitBytes: number | undefined;
  /** The adapter's memory is the host's. */
  readonly isSoftware: boolean;
  /** Gives buffers back that others can do without, and says whether it did. */
  readonly relieve: () => boolean;
  /** Told when the driver has no room for a buffer. */
  readonly fail: (error: GpuError) => void;
}

/** The storage buffers of one device: the pool, who its loans are counted for, and what may be held. */
export class DeviceMemory {
  /** The pool that tensors take their buffers from; another one during a rehearsal. */
  pool: BufferPool;
  readonly #gpu: GPUDevice;
  readonly #stream: Stream;
  readonly #scopes: ScopeStack;
  readonly #options: MemoryOptions;
  #owner: string | undefined;

  constructor(gpu: GPUDevice, stream: Stream, scopes: ScopeStack, options: MemoryOptions) {
    this.#gpu = gpu;
    this.#stream = stream;
    this.#scopes = scopes;
    this.#options = options;
    this.pool = new BufferPool(
      (size) => this.#createBuffer(size),
      (buffer) => stream.destroyLater(buffer),
      {
        largestBufferBytes: gpu.limits.maxBufferSize,
        limitBytes: options.limitBytes,
        relieve: options.relieve,
        hint: () => this.#unscoped(),
        owner: () => this.#owner ?? (scopes.depth > 0 ? "scratch" : "other"),
      },
    );
  }

  report(): MemoryReport {
    const report = this.pool.report();
    // Read-back buffers lie in host memory and are not part of the peak.
    const { readBack, textures } = this.#stream;
    // Nor are the textures that show buffers, which stay small beside them.
    const others = [...readBack.uses(), ...textures.ledger.uses()].map((use) => ({ ...use, atPeakBytes: 0 }));
    return { ...report, owners: [...report.owners, ...others] };
  }

  get budgetBytes(): number | undefined {
    const { limitBytes, isSoftware } = this.#options;
    if (limitBytes !== undefined || !isSoftware) return limitBytes;
    const { usedBytes, freeBytes } = this.pool.use;
    return usedBytes + freeBytes + hostBudgetBytes();
  }

  owned<T>(owner: string, work: () => T): T {
    const before = this.#owner;
    this.#owner = owner;
    try {
      return work();
    } finally {
      this.#owner = before;
    }
  }

  /** An error that WebGPU reports late, as one of ours. */
  typed(error: GPUError, kind = error.constructor.name): GpuError {
    // The runtimes disagree on whether the error classes are globals.
    if (kind !== "GPUOutOfMemoryError") return new GpuError(error.message);
    const { usedBytes } = this.pool.use;
    return new OutOfMemoryError(
      `the driver is out of memory (${error.message}); ${formatBytes(usedBytes)} are in use, at the peak ${memorySummary(this.report())}${this.#unscoped()}`,
    );
  }

  #createBuffer(size: number): GPUBuffer {
    const gpu = this.#gpu;
    // Only here is it known which buffer it was that did not fit.
    gpu.pushErrorScope("out-of-memory");
    const buffer = gpu.createBuffer({
      size,
      usage: bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination,
    });
    const { pool } = this;
    gpu.popErrorScope().then(
      (error) => {
        if (!error) return;
        pool.spoil(buffer);
        this.#options.fail(this.typed(error, "GPUOutOfMemoryError"));
      },
      () => {}, // the device went away; its own loss is reported
    );
    return buffer;
  }

  /** Says how much lies outside of all scopes, when that is much of what is held. */
  #unscoped(): string {
    const { tensors, bytes } = this.#scopes.loose;
    if (tensors < 2 || bytes < this.pool.use.usedBytes / 4) return "";
    return `. ${tensors} tensors of ${formatBytes(bytes)} were made outside a scope and not disposed of; put the loop's body into device.scope(() => …)`;
  }
}

import { OutOfMemoryError } from "../device/errors.ts";
import type { Allocation, PlanMemory } from "./allocation.ts";
import { Ledger } from "./ledger.ts";
import { formatBytes, type MemoryReport, memorySummary } from "./report.ts";

/** Byte counts of one device's storage buffers. */
export interface MemoryUse {
  /** Held by living tensors. */
  readonly usedBytes: number;
  /** Kept for reuse. */
  readonly freeBytes: number;
  /** Largest sum of both so far. */
  readonly peakBytes: number;
  readonly usedBuffers: number;
  readonly freeBuffers: number;
}

export interface PoolOptions {
  /** Largest buffer of the adapter. */
  readonly largestBufferBytes?: number;
  /** The most that may be held, free buffers included. */
  readonly limitBytes?: number | undefined;
  /** Whom a new loan is counted for. */
  readonly owner?: () => string;
  /** Asked when a loan does not fit the limit: gives buffers back that others can do without, and says whether it did. */
  readonly relieve?: () => boolean;
  /** Ends the message of a loan that does not fit. */
  readonly hint?: () => string;
}

/** Free bytes that may always stay in the pool, so that small work never returns to the driver. */
const alwaysKeptBytes = 64 * 2 ** 20;

/** What a rehearsal does to loans of the pool that it goes on from. */
export interface RealLoans {
  /** Those that ended. */
  readonly ended: Allocation[];
  /** Owners of before, of those that ended or are counted for others. */
  readonly owners: Map<Allocation, string>;
}

/**
 * Storage buffers by size class. A released buffer is handed out again at once: all work of a device runs in the order
 * in which it was encoded, so the next owner's commands come after the last owner's.
 */
export class BufferPool {
  readonly #create: (sizeBytes: number) => GPUBuffer;
  readonly #retire: (buffer: GPUBuffer) => void;
  readonly #options: PoolOptions;
  readonly #free = new Map<number, Allocation[]>();
  /** Free allocations, the longest unused first. */
  readonly #idle = new Set<Allocation>();
  /** In a rehearsal: its own loans, and those of the real pool that ended in it. */
  #rehearsed: ({ readonly loans: Set<Allocation> } & RealLoans) | undefined;
  /** What may not be held in all. */
  #refusedBytes: number;
  readonly #made = new WeakMap<GPUBuffer, Allocation>();
  #ledger = new Ledger();
  #usedBytes = 0;
  #usedBuffers = 0;
  #freeBytes = 0;
  #mostFreeBytes = 0;
  #peakBytes = 0;
  #peakUsedBytes = 0;
  /** Part of the peak that was in use. */
  #usedAtPeakBytes = 0;

  /**
   * @param create makes a storage buffer of a size
   * @param retire destroys a buffer once no encoded command can still need it
   */
  constructor(
    create: (sizeBytes: number) => GPUBuffer,
    retire: (buffer: GPUBuffer) => void,
    options: PoolOptions = {},
  ) {
    this.#create = create;
    this.#retire = retire;
    this.#options = options;
    this.#refusedBytes = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Keeps the loans from now on, while a plan is recorded. */
  plan: PlanMemory | undefined;

  /**
   * A buffer of at least `bytes`, contents undefined.
   * @param filled the host is going to fill it; a plan that is being recorded then keeps it for that alone
   * @throws OutOfMemoryError when it is larger than the adapter allows, or does not fit the limit
   */
  acquire(bytes: number, filled = false): Allocation {
    const size = sizeClass(bytes);
    const owner = this.#options.owner?.() ?? "other";
    const again = filled ? undefined : this.plan?.take(size);
    if (again) {
      this.assign(again, owner);
      return again;
    }
    const allocation = this.#borrow(size, owner);
    if (this.plan) {
      allocation.filled = filled;
      this.plan.add(allocation);
    }
    return allocation;
  }

  #borrow(size: number, owner: string): Allocation {
    const kept = this.#free.get(size)?.pop();
    if (kept) {
      this.#idle.delete(kept);
      this.#freeBytes -= size;
      kept.owner = owner;
      this.#count(kept);
      return kept;
    }
    this.#trim(size);
    const held = this.#usedBytes + this.#freeBytes + size;
    if (held > this.#refusedBytes && this.#options.relieve?.()) return this.#borrow(size, owner);
    this.#expectRoom(size);
    const made: Allocation = { buffer: this.#create(size), sizeBytes: size, lastUse: 0, owner, loan: 0 };
    // A rehearsal has no buffers.
    if (made.buffer) this.#made.set(made.buffer, made);
    this.#count(made);
    return made;
  }

  release(allocation: Allocation): void {
    allocation.loan++;
    if (allocation.plan) {
      allocation.plan.give(allocation);
      return;
    }
    const size = allocation.sizeBytes;
    this.#usedBytes -= size;
    this.#usedBuffers--;
    this.#ledger.remove(allocation.owner, size);
    this.#freeBytes += size;
    this.#mostFreeBytes = Math.max(this.#mostFreeBytes, this.#freeBytes);
    this.#noteReal(allocation)?.ended.push(allocation);
    this.#rehearsed?.loans.delete(allocation);
    const list = this.#free.get(size);
    if (list) list.push(allocation);
    else this.#free.set(size, [allocation]);
    this.#idle.add(allocation);
    if (allocation.spoilt) this.#drop(allocation);
  }

  /** Says that the driver could not make a buffer. */
  spoil(buffer: GPUBuffer): void {
    const allocation = this.#made.get(buffer);
    if (!allocation) return;
    allocation.spoilt = true;
    if (this.#idle.has(allocation)) this.#drop(allocation);
  }

  /** Counts a buffer for another owner from now on. */
  assign(allocation: Allocation, owner: string): void {
    this.#noteReal(allocation);
    this.#ledger.remove(allocation.owner, allocation.sizeBytes);
    allocation.owner = owner;
    this.#ledger.add(owner, allocation.sizeBytes);
  }

  /** Gives every unused buffer back to the driver. */
  drain(): void {
    for (const allocation of this.#idle) this.#drop(allocation);
  }

  get use(): MemoryUse {
    return {
      usedBytes: this.#usedBytes,
      freeBytes: this.#freeBytes,
      peakBytes: this.#peakBytes,
      usedBuffers: this.#usedBuffers,
      freeBuffers: this.#idle.size,
    };
  }

  /** Who holds what, and what the peak was made of. */
  report(): MemoryReport {
    const free = {
      owner: "free",
      bytes: this.#freeBytes,
      buffers: this.#idle.size,
      mostBytes: this.#mostFreeBytes,
      atPeakBytes: this.#peakBytes - this.#usedAtPeakBytes,
    };
    return {
      heldBytes: this.#usedBytes + this.#freeBytes,
      peakBytes: this.#peakBytes,
      limitBytes: this.#options.limitBytes,
      owners: [...this.#ledger.uses(), free].sort((a, b) => b.atPeakBytes - a.atPeakBytes || b.mostBytes - a.mostBytes),
    };
  }

  /** Starts the count of the peak and of what each owner held at most anew. */
  resetPeak(): void {
    this.#ledger.reset();
    this.#peakBytes = this.#usedBytes + this.#freeBytes;
    this.#usedAtPeakBytes = this.#usedBytes;
    this.#mostFreeBytes = this.#freeBytes;
  }

  /**
   * A pool that goes on from the present state of this one as this one would, and has no buffers: they are only counted.
   * This one stays as it is; {@link settle} does to it what became of its loans.
   * @param limitBytes what the other one may not pass
   */
  rehearsal(limitBytes: number, loans: RealLoans): BufferPool {
    const noBuffer = () => undefined as unknown as GPUBuffer;
    const copy = new BufferPool(noBuffer, () => {}, { ...this.#options, relieve: () => false });
    copy.#refusedBytes = limitBytes;
    for (const [size, list] of this.#free) copy.#free.set(size, [...list]);
    for (const allocation of this.#idle) copy.#idle.add(allocation);
    copy.#ledger = this.#ledger.copy();
    copy.#usedBytes = this.#usedBytes;
    copy.#usedBuffers = this.#usedBuffers;
    copy.#freeBytes = this.#freeBytes;
    copy.#peakUsedBytes = this.#peakUsedBytes;
    copy.#rehearsed = { loans: new Set(), ...loans };
    copy.resetPeak();
    return copy;
  }

  /** Keeps whose a loan of before the rehearsal was, as buffers that end in it are lent to others in it. */
  #noteReal(allocation: Allocation): RealLoans | undefined {
    const rehearsed = this.#rehearsed;
    if (!rehearsed || rehearsed.loans.has(allocation)) return undefined;
    const { owners } = rehearsed;
    if (!owners.has(allocation)) owners.set(allocation, allocation.owner);
    return rehearsed;
  }

  /** Gives loans back their owners of before a rehearsal, and takes those that ended in it. */
  settle({ ended, owners }: RealLoans): void {
    for (const [allocation, owner] of owners) allocation.owner = owner;
    for (const allocation of ended) this.release(allocation);
  }

  #count(allocation: Allocation): void {
    const { owner, sizeBytes } = allocation;
    this.#usedBytes += sizeBytes;
    this.#usedBuffers++;
    this.#ledger.add(owner, sizeBytes);
    this.#rehearsed?.loans.add(allocation);
    this.#peakUsedBytes = Math.max(this.#peakUsedBytes, this.#usedBytes);
    const held = this.#usedBytes + this.#freeBytes;
    // Among moments at which equally much was held, the one with the most in use says what it was needed for.
    if (held > this.#peakBytes || (held === this.#peakBytes && this.#usedBytes > this.#usedAtPeakBytes)) {
      this.#peakBytes = held;
      this.#usedAtPeakBytes = this.#usedBytes;
      this.#ledger.markPeak();
    }
  }

  /** Before the pool grows: drop the longest unused buffers until what is free is small beside what the work needs. */
  #trim(growthBytes: number): void {
    const { limitBytes = Number.POSITIVE_INFINITY } = this.#options;
    const allowed = Math.max(alwaysKeptBytes, this.#peakUsedBytes / 4);
    const most = Math.min(allowed, limitBytes - this.#usedBytes);
    for (const allocation of this.#idle) {
      if (this.#freeBytes + growthBytes <= most) return;
      this.#drop(allocation);
    }
  }

  #expectRoom(size: number): void {
    const { largestBufferBytes = Number.POSITIVE_INFINITY } = this.#options;
    const limitBytes = this.#refusedBytes;
    if (size > largestBufferBytes) {
      throw new OutOfMemoryError(
        `a tensor needs ${formatBytes(size)}, the adapter allows ${formatBytes(largestBufferBytes)} in one buffer; use a smaller batch or input`,
        size,
      );
    }
    if (this.#usedBytes + this.#freeBytes + size > limitBytes) {
      throw new OutOfMemoryError(
        `${formatBytes(size)} of device memory are wanted, ${formatBytes(this.#usedBytes)} of ${formatBytes(limitBytes)} are in use; at its peak ${memorySummary(this.report())}${this.#options.hint?.() ?? ""}`,
        size,
        "allow more memory (`memoryLimitBytes`), use a smaller batch, run it as micro-batches, or make the input smaller",
      );
    }
  }

  #drop(allocation: Allocation): void {
    const list = this.#free.get(allocation.sizeBytes)!;
    list.splice(list.indexOf(allocation), 1);
    this.#idle.delete(allocation);
    this.#freeBytes -= allocation.sizeBytes;
    this.#retire(allocation.buffer);
  }
}

/** Sizes are rounded up to eight steps an octave (at most 12.5 % lost), so that nearly equal tensors share buffers. */
export function sizeClass(bytes: number): number {
  if (bytes <= 256) return 256;
  const step = 2 ** Math.max(8, Math.floor(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / step) * step;
}

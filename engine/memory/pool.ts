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

/** A storage buffer on loan from the pool. `sizeBytes` is the size of the buffer, at least what was asked for. */
export interface Allocation {
  readonly buffer: GPUBuffer;
  readonly sizeBytes: number;
  /** Number of the last submission that used the buffer; kept by the command stream. */
  lastUse: number;
}

/** Free bytes that may always stay in the pool, so that small work never returns to the driver. */
const alwaysKeptBytes = 64 * 2 ** 20;

/**
 * Storage buffers by size class. A released buffer is handed out again at once: all work of a device runs in the order
 * in which it was encoded, so the next owner's commands come after the last owner's.
 */
export class BufferPool {
  readonly #create: (sizeBytes: number) => GPUBuffer;
  readonly #retire: (buffer: GPUBuffer) => void;
  readonly #free = new Map<number, Allocation[]>();
  /** Free allocations, the longest unused first. */
  readonly #idle = new Set<Allocation>();
  #usedBytes = 0;
  #usedBuffers = 0;
  #freeBytes = 0;
  #peakBytes = 0;
  #peakUsedBytes = 0;

  /**
   * @param create makes a storage buffer of a size
   * @param retire destroys a buffer once no encoded command can still need it
   */
  constructor(create: (sizeBytes: number) => GPUBuffer, retire: (buffer: GPUBuffer) => void) {
    this.#create = create;
    this.#retire = retire;
  }

  /** A buffer of at least `bytes`, contents undefined. */
  acquire(bytes: number): Allocation {
    const size = sizeClass(bytes);
    const kept = this.#free.get(size)?.pop();
    if (kept) {
      this.#idle.delete(kept);
      this.#freeBytes -= size;
      this.#count(size);
      return kept;
    }
    this.#trim(size);
    const made = { buffer: this.#create(size), sizeBytes: size, lastUse: 0 };
    this.#count(size);
    return made;
  }

  release(allocation: Allocation): void {
    const size = allocation.sizeBytes;
    this.#usedBytes -= size;
    this.#usedBuffers--;
    this.#freeBytes += size;
    const list = this.#free.get(size);
    if (list) list.push(allocation);
    else this.#free.set(size, [allocation]);
    this.#idle.add(allocation);
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

  /** Starts the count of `peakBytes` anew. */
  resetPeak(): void {
    this.#peakBytes = this.#usedBytes + this.#freeBytes;
  }

  #count(size: number): void {
    this.#usedBytes += size;
    this.#usedBuffers++;
    this.#peakUsedBytes = Math.max(this.#peakUsedBytes, this.#usedBytes);
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes + this.#freeBytes);
  }

  /** Before the pool grows: drop the longest unused buffers until what is free is small beside what the work needs. */
  #trim(growthBytes: number): void {
    const allowed = Math.max(alwaysKeptBytes, this.#peakUsedBytes / 4);
    for (const allocation of this.#idle) {
      if (this.#freeBytes + growthBytes <= allowed) return;
      this.#drop(allocation);
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

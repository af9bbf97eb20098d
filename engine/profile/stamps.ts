import { greatestCommonDivisor } from "../kernel/grid.ts";
import { bufferUsage } from "../kernel/stream.ts";

const queriesPerSet = 4096;
/** Timestamps are resolved to multiples of 256 bytes. */
const alignedQueries = 32;
const queryResolve = 512;
const mapModeRead = 1;

/** Where the two timestamps of a pass go, in ns of the adapter's clock. */
export type Stamped = (begin: bigint, end: bigint) => void;

interface Ring {
  readonly set: GPUQuerySet;
  readonly resolved: GPUBuffer;
  readonly staging: GPUBuffer;
  /** Queries given out, and those of them that were resolved. */
  used: number;
  closed: number;
  takers: (Stamped | undefined)[];
}

/**
 * Timestamps of passes. Queries come from sets of 4,096, are resolved where their commands end, and are read when a set is
 * full, without anybody waiting; the sets are used again.
 */
export class Stamps {
  readonly #gpu: GPUDevice;
  readonly #all: Ring[] = [];
  readonly #free: Ring[] = [];
  #current: Ring | undefined;
  /** Sets with queries that are recorded and not resolved. */
  readonly #touched = new Set<Ring>();
  /** Full sets whose commands are not handed over yet. */
  #full: Ring[] = [];
  readonly #reads = new Set<Promise<void>>();
  #stepNanoseconds = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** The largest step that all timestamps so far are multiples of, ns. */
  get stepNanoseconds(): number {
    return this.#stepNanoseconds;
  }

  /** The timestamps to be written around a pass. */
  around(taker: Stamped): GPUComputePassTimestampWrites {
    const { set, begin } = this.#take(taker);
    return { querySet: set, beginningOfPassWriteIndex: begin, endOfPassWriteIndex: begin + 1 };
  }

  /** Timestamps to be written at the end of a pass and at the beginning of a later one of the same encoder. */
  between(taker: Stamped): readonly [GPUComputePassTimestampWrites, GPUComputePassTimestampWrites] {
    const { set, begin } = this.#take(taker);
    return [
      { querySet: set, endOfPassWriteIndex: begin },
      { querySet: set, beginningOfPassWriteIndex: begin + 1 },
    ];
  }

  #take(taker: Stamped): { set: GPUQuerySet; begin: number } {
    this.#current ??= this.#free.pop() ?? this.#make();
    const ring = this.#current;
    const begin = ring.used;
    ring.used += 2;
    ring.takers[begin / 2] = taker;
    this.#touched.add(ring);
    if (ring.used === queriesPerSet) this.#current = undefined;
    return { set: ring.set, begin };
  }

  /** Ends the commands of an encoder: resolves what was recorded into it. */
  resolve(encoder: GPUCommandEncoder): void {
    for (const ring of this.#touched) {
      const { set, closed, used, resolved, staging } = ring;
      encoder.resolveQuerySet(set, closed, used - closed, resolved, closed * 8);
      ring.closed = ring.used = Math.ceil(used / alignedQueries) * alignedQueries;
      if (ring.used < queriesPerSet) continue;
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, queriesPerSet * 8);
      if (ring === this.#current) this.#current = undefined;
      this.#full.push(ring);
    }
    this.#touched.clear();
  }

  /** What was resolved is with the adapter: full sets are read. */
  submitted(): void {
    for (const ring of this.#full.splice(0)) this.#read(ring);
  }

  /** Resolves when every taker has been told. */
  async settle(): Promise<void> {
    const ring = this.#current;
    if (ring && ring.closed > 0) {
      const encoder = this.#gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(ring.resolved, 0, ring.staging, 0, ring.closed * 8);
      this.#gpu.queue.submit([encoder.finish()]);
      this.#current = undefined;
      this.#read(ring);
    }
    await Promise.all(this.#reads);
  }

  /** Frees the sets. */
  dispose(): void {
    for (const { set, resolved, staging } of this.#all) {
      set.destroy();
      resolved.destroy();
      staging.destroy();
    }
  }

  #read(ring: Ring): void {
    const bytes = ring.closed * 8;
    const { staging, takers } = ring;
    const reading = staging.mapAsync(mapModeRead, 0, bytes).then(() => {
      const stamps = new BigUint64Array(staging.getMappedRange(0, bytes));
      takers.forEach((taker, i) => {
        if (taker) this.#tell(taker, stamps[2 * i]!, stamps[2 * i + 1]!);
      });
      staging.unmap();
      ring.used = ring.closed = 0;
      ring.takers = [];
      this.#free.push(ring);
    });
    this.#reads.add(reading);
    reading.then(
      () => this.#reads.delete(reading),
      () => {}, // whoever settles learns of it
    );
  }

  #tell(taker: Stamped, begin: bigint, end: bigint): void {
    for (const stamp of [begin, end]) {
      // The last 2^52 ns are looked at, which a number holds exactly.
      this.#stepNanoseconds = greatestCommonDivisor(Number(stamp % 2n ** 52n), this.#stepNanoseconds);
    }
    taker(begin, end);
  }

  #make(): Ring {
    const bytes = queriesPerSet * 8;
    const ring = {
      set: this.#gpu.createQuerySet({ label: "profile", type: "timestamp", count: queriesPerSet }),
      resolved: this.#gpu.createBuffer({ size: bytes, usage: queryResolve | bufferUsage.copySource }),
      staging: this.#gpu.createBuffer({ size: bytes, usage: bufferUsage.mapRead | bufferUsage.copyDestination }),
      used: 0,
      closed: 0,
      takers: [],
    };
    this.#all.push(ring);
    return ring;
  }
}

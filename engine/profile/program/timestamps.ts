import { quietly } from "./methods.ts";

const queriesPerSet = 4096;
/** Resolved at multiples of 256 bytes. */
const queriesPerChunk = 64;
const chunkBytes = 8 * queriesPerChunk;
const usage = { mapRead: 1, copySource: 4, copyDestination: 8, queryResolve: 512 } as const;
const mapModeRead = 1;

/** Where the two timestamps of a piece of work go, ns of the adapter's clock. */
export type TakePair = (begin: bigint, end: bigint) => void;

/** Some queries of a set, for one encoder. */
export interface Chunk {
  readonly set: GPUQuerySet;
  readonly resolved: GPUBuffer;
  readonly first: number;
  used: number;
  takers: (TakePair | undefined)[];
}

/**
 * Timestamps for encoders that may be recorded at the same time, submitted in any order or never: each has chunks of its
 * own. What was submitted is read together, whenever somebody asks.
 */
export class ProgramTimestamps {
  readonly #device: GPUDevice;
  readonly #free: Chunk[] = [];
  readonly #staging: GPUBuffer[] = [];
  #submitted: Chunk[] = [];
  #reading: Promise<void> = Promise.resolve();
  #lost = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Chunks that wait to be read. */
  get pending(): number {
    return this.#submitted.length;
  }

  /** Two queries out of the chunks of an encoder, which may get one more. */
  pair(chunks: Chunk[], taker?: TakePair): { set: GPUQuerySet; begin: number; take: (taker: TakePair) => void } {
    let chunk = chunks.at(-1);
    if (!chunk || chunk.used === queriesPerChunk) {
      if (this.#free.length === 0) this.#grow();
      chunk = this.#free.pop()!;
      chunks.push(chunk);
    }
    const [at, from] = [chunk.used / 2, chunk];
    chunk.used += 2;
    chunk.takers[at] = taker;
    const take = (found: TakePair) => {
      from.takers[at] = found;
    };
    return { set: chunk.set, begin: chunk.first + 2 * at, take };
  }

  /** Ends the commands of an encoder. */
  resolve(encoder: GPUCommandEncoder, chunks: readonly Chunk[]): void {
    quietly(() => {
      for (const { set, resolved, first, used } of chunks)
        encoder.resolveQuerySet(set, first, used, resolved, 8 * first);
    });
  }

  submitted(chunks: readonly Chunk[]): void {
    this.#submitted.push(...chunks);
  }

  /** Reads what was submitted before the call; resolves when the takers were told, or never will be. */
  read(): Promise<void> {
    const chunks = this.#submitted;
    if (chunks.length === 0 || this.#lost) return this.#reading;
    this.#submitted = [];
    const size = chunks.length * chunkBytes;
    const staging = this.#takeStaging(size);
    const mapped = quietly(() => {
      const encoder = this.#device.createCommandEncoder();
      for (const [i, { resolved, first }] of chunks.entries())
        encoder.copyBufferToBuffer(resolved, 8 * first, staging, i * chunkBytes, chunkBytes);
      this.#device.queue.submit([encoder.finish()]);
      return staging.mapAsync(mapModeRead, 0, size);
    });
    const told = mapped.then(
      () => this.#tell(chunks, staging, size),
      () => {
        // The device is gone: so are these times.
        this.#lost = true;
      },
    );
    this.#reading = Promise.all([this.#reading, told]).then(() => {});
    return this.#reading;
  }

  #tell(chunks: readonly Chunk[], staging: GPUBuffer, size: number): void {
    const stamps = new BigUint64Array(quietly(() => staging.getMappedRange(0, size)).slice(0));
    quietly(() => staging.unmap());
    this.#staging.push(staging);
    for (const [i, chunk] of chunks.entries()) {
      const from = i * queriesPerChunk;
      for (const [at, taker] of chunk.takers.entries()) taker?.(stamps[from + 2 * at]!, stamps[from + 2 * at + 1]!);
      chunk.used = 0;
      chunk.takers = [];
      this.#free.push(chunk);
    }
  }

  #takeStaging(size: number): GPUBuffer {
    const fit = this.#staging.findIndex((buffer) => buffer.size >= size);
    if (fit >= 0) return this.#staging.splice(fit, 1)[0]!;
    const whole = Math.max(8 * queriesPerSet, 2 ** Math.ceil(Math.log2(size)));
    return quietly(() =>
      this.#device.createBuffer({ size: whole, usage: usage.mapRead | usage.copyDestination, label: "profile" }),
    );
  }

  #grow(): void {
    const { set, resolved } = quietly(() => ({
      set: this.#device.createQuerySet({ type: "timestamp", count: queriesPerSet, label: "profile" }),
      resolved: this.#device.createBuffer({
        size: 8 * queriesPerSet,
        usage: usage.queryResolve | usage.copySource,
        label: "profile",
      }),
    }));
    for (let first = queriesPerSet - queriesPerChunk; first >= 0; first -= queriesPerChunk)
      this.#free.push({ set, resolved, first, used: 0, takers: [] });
  }
}

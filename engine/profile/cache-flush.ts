/** More than the caches of most adapters hold. */
const flushBytes = 64 * 2 ** 20;
const usage = 4 | 8;

/** Fills the caches of an adapter with something else, so that what is timed next finds nothing of its own there. */
export class CacheFlush {
  readonly #from: GPUBuffer;
  readonly #to: GPUBuffer;
  readonly #bytes: number;

  constructor(gpu: GPUDevice) {
    this.#bytes = Math.min(flushBytes, gpu.limits.maxBufferSize);
    const make = () => gpu.createBuffer({ label: "cache flush", size: this.#bytes, usage });
    this.#from = make();
    this.#to = make();
  }

  /** Records a copy that is larger than the caches. */
  record(encoder: GPUCommandEncoder): void {
    encoder.copyBufferToBuffer(this.#from, 0, this.#to, 0, this.#bytes);
  }

  destroy(): void {
    this.#from.destroy();
    this.#to.destroy();
  }
}

import type { WorkQueue } from "../kernel/observer.ts";

/** Told of one submit: when it was handed over and when it was done, by the host's clock in ms. */
export type Fenced = (startMs: number, endMs: number) => void;

/**
 * Hands over one submit at a time and waits for it before the next, so that the host's clock can time each. What is
 * recorded meanwhile waits its turn in order: data to be written is copied, buffers are destroyed when it is theirs.
 */
export class FencedQueue implements WorkQueue {
  readonly #queue: GPUQueue;
  readonly #tell: (submit: number) => Fenced | undefined;
  readonly #tasks: (() => Promise<unknown> | undefined)[] = [];
  #running: Promise<void> | undefined;
  #submits = 0;

  /** @param tell who is to know of submit i, counted from 0 */
  constructor(queue: GPUQueue, tell: (submit: number) => Fenced | undefined) {
    this.#queue = queue;
    this.#tell = tell;
  }

  submit(commands: GPUCommandBuffer): void {
    const fenced = this.#tell(this.#submits++);
    this.#enqueue(async () => {
      const start = performance.now();
      this.#queue.submit([commands]);
      await this.#queue.onSubmittedWorkDone();
      fenced?.(start, performance.now());
    });
  }

  write(buffer: GPUBuffer, atByte: number, data: ArrayBufferLike | ArrayBufferView, from = 0, size?: number): void {
    const view = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    // As of writeBuffer, `from` and `size` count elements of a typed array, bytes of anything else.
    const unit = (data as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    const copy = view.slice(from * unit, size === undefined ? undefined : (from + size) * unit);
    this.#enqueue(() => void this.#queue.writeBuffer(buffer, atByte, copy));
  }

  destroy(buffer: GPUBuffer): void {
    this.#enqueue(() => void buffer.destroy());
  }

  drained(): Promise<void> | undefined {
    return this.#running;
  }

  #enqueue(task: () => Promise<unknown> | undefined): void {
    this.#tasks.push(task);
    if (this.#running) return;
    this.#running = this.#run();
    this.#running.catch(() => {}); // told by drained(), and by the device when it is lost
  }

  async #run(): Promise<void> {
    // Begins when the caller is done, so that nothing is handed over in the midst of its recording.
    await Promise.resolve();
    while (this.#tasks.length > 0) {
      const task = this.#tasks.shift()!;
      try {
        await task();
      } catch (error) {
        this.#tasks.length = 0;
        this.#running = undefined;
        throw error;
      }
    }
    this.#running = undefined;
  }
}

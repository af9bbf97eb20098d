import type { Call } from "./call.ts";

/** Watches what a stream does, for a profile. While there is one, every dispatch has a pass of its own. */
export interface StreamObserver {
  /** True when every command must be handed over alone. */
  readonly alone: boolean;
  /** A dispatch is about to be recorded; the pass it is recorded into. */
  pass(encoder: GPUCommandEncoder, call: Call, cold: boolean): GPUComputePassEncoder;
  /** Records a transfer by calling `work`. */
  transfer(encoder: GPUCommandEncoder, call: Call, work: () => void): void;
  /** The commands of an encoder are complete and will be one submit. */
  close(encoder: GPUCommandEncoder): void;
  /** Everything closed has been handed over. */
  submitted(): void;
  /** The host has recorded for so long. */
  encoded(milliseconds: number): void;
}

/** Where a stream hands its work to, in order. */
export interface WorkQueue {
  submit(commands: GPUCommandBuffer): void;
  write(buffer: GPUBuffer, atByte: number, data: ArrayBufferLike | ArrayBufferView, from?: number, size?: number): void;
  destroy(buffer: GPUBuffer): void;
  /** Resolves when all of it is with the adapter; undefined when it is already. */
  drained(): Promise<void> | undefined;
}

/** The adapter's own queue. */
export class DirectQueue implements WorkQueue {
  readonly #queue: GPUQueue;

  constructor(queue: GPUQueue) {
    this.#queue = queue;
  }

  submit(commands: GPUCommandBuffer): void {
    this.#queue.submit([commands]);
  }

  write(
    buffer: GPUBuffer,
    atByte: number,
    data: ArrayBufferLike | ArrayBufferView,
    from?: number,
    size?: number,
  ): void {
    this.#queue.writeBuffer(buffer, atByte, data, from, size);
  }

  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
  }

  drained(): undefined {
    return undefined;
  }
}

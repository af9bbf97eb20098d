type Dispatch = (...args: unknown[]) => void;

/**
 * Counts dispatches that somebody records on a device by WebGPU's own calls, beside the engine's. Only objects made in the
 * meantime are watched, so that a device that is not profiled pays nothing.
 */
export class RawDispatches {
  readonly #gpu: GPUDevice;
  #isOwn = false;
  count = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    const { createCommandEncoder } = gpu;
    this.#shadow(gpu, "createCommandEncoder", (...args) => {
      const encoder = createCommandEncoder.apply(gpu, args as [GPUCommandEncoderDescriptor?]);
      const { beginComputePass } = encoder;
      this.#shadow(encoder, "beginComputePass", (...given) => {
        const pass = beginComputePass.apply(encoder, given as [GPUComputePassDescriptor?]);
        if (!this.#isOwn) this.#watch(pass);
        return pass;
      });
      return encoder;
    });
  }

  /** Begins a pass of the engine's. */
  own<T>(work: () => T): T {
    this.#isOwn = true;
    try {
      return work();
    } finally {
      this.#isOwn = false;
    }
  }

  /** Leaves the device as it was. */
  stop(): void {
    delete (this.#gpu as { createCommandEncoder?: unknown }).createCommandEncoder;
  }

  #watch(pass: GPUComputePassEncoder): void {
    for (const name of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"] as const) {
      const original = pass[name] as Dispatch;
      this.#shadow(pass, name, (...args) => {
        this.count++;
        return original.apply(pass, args);
      });
    }
  }

  /** A method of one object before that of its class. */
  #shadow(owner: object, name: string, value: (...args: unknown[]) => unknown): void {
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  }
}

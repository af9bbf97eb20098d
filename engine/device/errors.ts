/** Something the GPU or its runtime refused or got wrong. `advice` says what to do about it. */
export class GpuError extends Error {
  override name = "GpuError";
  readonly advice: string;

  constructor(message: string, advice = "", options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
  }
}

/** The runtime works but shows no adapter: no GPU, no driver, or a driver that is too old for WebGPU. */
export class NoAdapterError extends GpuError {
  override name = "NoAdapterError";

  constructor(
    message = "no WebGPU adapter was found",
    advice = "run `acutance setup` to install a software adapter, or `acutance doctor` to see what is missing",
    options?: ErrorOptions,
  ) {
    super(message, advice, options);
  }
}

/** The device went away while it was in use: a driver reset, a watchdog, memory that ran out. Its tensors are gone. */
export class DeviceLostError extends GpuError {
  override name = "DeviceLostError";
  /** What the runtime said about it. */
  readonly reason: string;

  constructor(
    reason: string,
    advice = "open a new device; when it happens again, use a smaller batch or input (a single dispatch may run too long or memory may be short)",
    options?: ErrorOptions,
  ) {
    super(`the GPU device was lost: ${reason}`, advice, options);
    this.reason = reason;
  }
}

/** Device memory does not suffice: a limit would be passed, a buffer is larger than the adapter allows, or the driver refused. */
export class OutOfMemoryError extends GpuError {
  override name = "OutOfMemoryError";
  /** Size of the buffer that did not fit; 0 when the driver did not say. */
  readonly wantedBytes: number;

  constructor(
    message: string,
    wantedBytes = 0,
    advice = "use a smaller batch, run it as micro-batches, or make the input smaller",
    options?: ErrorOptions,
  ) {
    super(message, advice, options);
    this.wantedBytes = wantedBytes;
  }
}

import { Dispatcher } from "../kernel/dispatch.ts";
import { bufferUsage, Stream } from "../kernel/stream.ts";
import { BufferPool, type MemoryUse } from "../memory/pool.ts";
import { ScopeStack } from "../memory/scope.ts";
import { DeviceLostError, GpuError, NoAdapterError } from "./errors.ts";
import { type FindGpuOptions, findGpu } from "./provider.ts";

/** Where the device comes from and what of it is used; of the GPU objects the first of {@link findGpu} is taken. */
export interface OpenOptions extends FindGpuOptions {
  /** Features that must not be used although the adapter has them, e.g. `["subgroups"]` to test plain kernels. */
  readonly withoutFeatures?: readonly string[];
  /** Upper bound for one storage binding in bytes, below the adapter's own; for tests of large tensors. */
  readonly maximumBindingBytes?: number;
  readonly powerPreference?: GPUPowerPreference;
}

/** What is known about the adapter behind a device. */
export interface DeviceInfo {
  readonly provider: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly isFallbackAdapter: boolean;
}

const wantedFeatures = ["subgroups", "shader-f16", "timestamp-query"] as const;
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBuffersPerShaderStage",
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const;

/** One opened WebGPU device with its command stream, kernels, buffers and tensor scopes. */
export class Device {
  readonly gpu: GPUDevice;
  readonly info: DeviceInfo;
  readonly features: ReadonlySet<string>;
  readonly stream: Stream;
  readonly memory: BufferPool;
  readonly scopes = new ScopeStack();
  readonly kernels: Dispatcher;
  /** Largest window of a buffer that one kernel argument can show, bytes. */
  readonly maximumBindingBytes: number;
  /** Invocations of a subgroup when it is the same for every kernel, else 0: kernels with broadcasts need to know it. */
  readonly subgroupSize: number;
  #failure: Error | undefined;
  #closed = false;

  constructor(gpu: GPUDevice, info: DeviceInfo, subgroupSize: number, options: OpenOptions = {}) {
    this.gpu = gpu;
    this.info = info;
    this.features = new Set([...gpu.features].filter((feature) => !options.withoutFeatures?.includes(feature)));
    this.subgroupSize = this.features.has("subgroups") ? subgroupSize : 0;
    const alignment = gpu.limits.minStorageBufferOffsetAlignment;
    const binding = Math.min(
      gpu.limits.maxStorageBufferBindingSize,
      options.maximumBindingBytes ?? Number.MAX_SAFE_INTEGER,
    );
    this.maximumBindingBytes = Math.floor(binding / alignment) * alignment;
    this.stream = new Stream(gpu);
    this.memory = new BufferPool(
      (size) => this.#createBuffer(size),
      (buffer) => this.stream.destroyLater(buffer),
    );
    this.kernels = new Dispatcher(this);
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault?.();
      this.fail(new GpuError((event as GPUUncapturedErrorEvent).error.message));
    });
    gpu.lost.then((lost) => {
      if (!this.#closed) this.#failure = new DeviceLostError(lost.message || lost.reason || "no reason given");
    });
  }

  /** Remembers the first error of the device; the next {@link check} throws it. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  /** Throws what has gone wrong on the device since it was opened. Called before every dispatch and after every read. */
  check(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new GpuError("the device was closed");
  }

  /**
   * Runs `work` and frees every tensor it made except those it returns (a tensor, or an array or record of tensors).
   * `work` must be synchronous: start a read inside and await the promise outside, wrapped in a record.
   */
  scope<T>(work: () => T): T {
    return this.scopes.run(work);
  }

  /** Bytes held and kept on the device. */
  get memoryUse(): MemoryUse {
    return this.memory.use;
  }

  /** Waits until all recorded work has run and throws what went wrong in it. */
  async finish(): Promise<void> {
    this.check();
    await this.stream.finish();
    this.check();
  }

  /** Frees the device and all its tensors. */
  close(): void {
    this.#closed = true;
    this.gpu.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #createBuffer(size: number): GPUBuffer {
    if (size > this.gpu.limits.maxBufferSize) {
      throw new GpuError(
        `a tensor needs ${size} bytes, the adapter allows ${this.gpu.limits.maxBufferSize} in one buffer; use a smaller batch or input`,
      );
    }
    return this.gpu.createBuffer({
      size,
      usage: bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination,
    });
  }
}

/**
 * Opens the best adapter at hand.
 * @throws NoAdapterError when there is none, with advice on what to install
 */
export async function openDevice(options: OpenOptions = {}): Promise<Device> {
  const { gpu, provider } = await findGpu(options);
  const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" });
  if (!adapter) throw new NoAdapterError(`${provider} found no WebGPU adapter`);
  const requiredFeatures = wantedFeatures.filter(
    (feature) => adapter.features.has(feature) && !options.withoutFeatures?.includes(feature),
  );
  const requiredLimits: Record<string, number> = {};
  for (const limit of wantedLimits) {
    const value = adapter.limits[limit];
    if (value !== undefined) requiredLimits[limit] = value;
  }
  const device = await adapter.requestDevice({
    requiredFeatures: requiredFeatures as GPUFeatureName[],
    requiredLimits,
  });
  const { vendor, architecture, description } = adapter.info;
  const {
    subgroupMinSize = 0,
    subgroupMaxSize = 0,
    isFallbackAdapter = false,
  } = adapter.info as GPUAdapterInfo & {
    subgroupMinSize?: number;
    subgroupMaxSize?: number;
    isFallbackAdapter?: boolean;
  };
  const info = { provider, vendor, architecture, description, isFallbackAdapter };
  return new Device(device, info, subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0, options);
}

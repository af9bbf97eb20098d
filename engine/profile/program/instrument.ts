import { ConditionWatch } from "../conditions.ts";
import { ProgramDevice, type Shared } from "./device.ts";
import { watchEncoder } from "./encoder.ts";
import { ProgramMemory } from "./memory.ts";
import { type Wrapper, wrapMethods } from "./methods.ts";
import type { ProgramConfig, ProgramState } from "./protocol.ts";
import { Recorder } from "./recorder.ts";
import { resourceMethods } from "./resources.ts";

/** The feature that is asked for beside those that the program asks for. */
const timestamps = "timestamp-query";

/** Wraps WebGPU for one thread of a program. Objects and results stay those of the runtime. */
export class Instrument {
  readonly #shared: Shared;
  readonly #devices = new Map<object, ProgramDevice>();
  readonly #queues = new WeakMap<object, ProgramDevice>();
  readonly #conditions = new ConditionWatch(false);
  #provider = "";

  constructor(file: string, config: ProgramConfig) {
    this.#shared = {
      config,
      recorder: new Recorder(file),
      memory: new ProgramMemory(),
      pipelines: new WeakMap(),
      groups: new WeakMap(),
      views: new WeakMap(),
      samplers: new WeakMap(),
      pending: new Set(),
    };
  }

  get recorder(): Recorder {
    return this.#shared.recorder;
  }

  /** Whether the program has opened a device. */
  get hasDevices(): boolean {
    return this.#devices.size > 0;
  }

  /** True while times of what was submitted are not read. */
  get isPending(): boolean {
    return (
      [...this.#devices.values()].some(({ stamps }) => (stamps?.pending ?? 0) > 0) || this.#shared.pending.size > 0
    );
  }

  /** Watches everything that comes of a GPU object. */
  watch(gpu: GPU, provider: string): void {
    this.#provider ||= provider;
    this.#wrap("GPU", gpu, {
      requestAdapter: (_, args, call) =>
        (call(args) as Promise<GPUAdapter | null>).then((adapter) => {
          if (adapter) this.#watchAdapter(adapter);
          return adapter;
        }),
    });
  }

  /** Reads what the adapters have done and writes it down. */
  async settle(): Promise<void> {
    await Promise.all(this.#shared.pending);
    this.#shared.pending.clear();
    for (const device of this.#devices.values()) {
      await device.read();
      if (device.clock) device.driftMs = await device.clock.driftMs().catch(() => device.driftMs);
    }
    this.writeState();
  }

  /** Writes what is known now, without waiting. */
  writeState(): void {
    if (this.#devices.size === 0) return;
    this.lookAround();
    const { recorder, memory } = this.#shared;
    const state: ProgramState = {
      kind: "state",
      wallMs: recorder.nowMs(),
      encodeMs: recorder.encodeMs,
      ownMs: recorder.ownMs,
      peakBytes: memory.peakBytes,
      owners: memory.owners,
      calls: recorder.calls,
      devices: [...this.#devices.values()].map(({ id, submits, untimed, stepNanoseconds, driftMs }) => ({
        id,
        submits,
        untimed,
        stepNanoseconds,
        driftMs,
      })),
    };
    recorder.write(state);
    recorder.flush();
  }

  /** Looks at what else the machine does. */
  lookAround(): void {
    const { recorder } = this.#shared;
    const stretch = this.hasDevices ? this.#conditions.look() : undefined;
    if (!stretch) return;
    const [fromMs, toMs] = [stretch.fromMs - recorder.startMs, stretch.toMs - recorder.startMs];
    recorder.write({ kind: "stretches", stretches: [{ ...stretch, fromMs, toMs }] });
  }

  /** Reads what has run, for those who wait for nothing. */
  readSoon(): void {
    for (const device of this.#devices.values()) if (device.stamps?.pending) this.#await(device.read());
    this.writeState();
  }

  /** What must end before the program does. */
  #await(work: Promise<unknown>): void {
    const { pending } = this.#shared;
    const ended: Promise<void> = work.then(
      () => {},
      () => {},
    );
    pending.add(ended);
    void ended.then(() => pending.delete(ended));
  }

  #wrap(name: string, sample: object, wrappers: Record<string, Wrapper>): void {
    wrapMethods(name, sample, wrappers, this.#shared.recorder.timed);
  }

  #watchAdapter(adapter: GPUAdapter): void {
    this.#wrap("GPUAdapter", adapter, {
      requestDevice: (self, args, call) => this.#requestDevice(self as GPUAdapter, args, call),
    });
  }

  /** Asks for timestamps beside what the program asks for; the device shows the program only what it asked for. */
  async #requestDevice(
    adapter: GPUAdapter,
    args: unknown[],
    call: (args: readonly unknown[]) => unknown,
  ): Promise<GPUDevice> {
    const [descriptor] = args as [GPUDeviceDescriptor | undefined];
    const wanted = [...(descriptor?.requiredFeatures ?? [])];
    const add = this.#shared.config.timestamps && adapter.features.has(timestamps) && !wanted.includes(timestamps);
    const more = { ...descriptor, requiredFeatures: [...wanted, timestamps] };
    const asked = call(add ? [more, ...args.slice(1)] : args) as Promise<GPUDevice>;
    // What is refused is refused as it would be without us.
    const gpu = await (add ? asked.catch(() => call(args) as Promise<GPUDevice>) : asked);
    await this.#watchDevice(gpu, adapter);
    if (add && gpu.features.has(timestamps)) hideTimestamps(gpu);
    return gpu;
  }

  async #watchDevice(gpu: GPUDevice, adapter: GPUAdapter): Promise<void> {
    if (this.#devices.has(gpu)) return;
    const { recorder } = this.#shared;
    const device = new ProgramDevice(this.#devices.size, gpu, this.#shared);
    await device.open();
    this.#devices.set(gpu, device);
    this.#queues.set(gpu.queue, device);
    const info = adapter.info as GPUAdapterInfo & { isFallbackAdapter?: boolean };
    const { vendor = "", architecture = "", description = "", subgroupMinSize = 0, subgroupMaxSize = 0 } = info ?? {};
    recorder.write({
      kind: "device",
      id: device.id,
      provider: this.#provider,
      ...{ vendor, architecture, description },
      fallback: info?.isFallbackAdapter === true,
      features: [...gpu.features],
      subgroupSize: subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0,
      timestamps: device.stamps !== undefined,
      uncertaintyMs: device.clock?.uncertaintyMs ?? 0,
    });
    recorder.flush();
    this.#wrap("GPUDevice", gpu, this.#deviceMethods());
    this.#wrap("GPUQueue", gpu.queue, this.#queueMethods());
  }

  #deviceMethods(): Record<string, Wrapper> {
    return {
      ...resourceMethods(this.#shared, {
        buffer: (buffer) => this.#watchBuffer(buffer),
        texture: (texture) =>
          this.#wrap("GPUTexture", texture, { destroy: this.#destroy, createView: this.#createView }),
      }),
      createCommandEncoder: (self, args, call) => {
        const encoder = call(args) as GPUCommandEncoder;
        const device = this.#devices.get(self);
        if (device) watchEncoder(device, encoder);
        return encoder;
      },
      destroy: (self, args, call) => {
        const device = this.#devices.get(self);
        const { pending } = this.#shared;
        if (!device || (!device.stamps?.pending && pending.size === 0)) return call(args);
        // What has run is read and kept first; the program has nothing more to ask of the device.
        const reading = Promise.all([...pending, device.read()]).finally(() => call(args));
        this.#await(reading);
        return undefined;
      },
    };
  }

  readonly #destroy: Wrapper = (self, args, call) => {
    this.#shared.memory.remove(self);
    return call(args);
  };

  readonly #createView: Wrapper = (self, args, call) => {
    const view = call(args) as object;
    this.#shared.views.set(view, {
      texture: self as GPUTexture,
      view: { ...(args[0] as GPUTextureViewDescriptor | undefined) },
    });
    return view;
  };

  #watchBuffer(buffer: GPUBuffer): void {
    this.#wrap("GPUBuffer", buffer, {
      destroy: this.#destroy,
      getMappedRange: (_, args, call) => call(args),
      unmap: (_, args, call) => call(args),
      mapAsync: (_, args, call) => this.#waiting("GPUBuffer.mapAsync", () => call(args) as Promise<undefined>),
    });
  }

  /** A wait of the program's for the adapter: when it is over, the times of what ran are known too. */
  #waiting(method: string, wait: () => Promise<undefined>): Promise<undefined> {
    const { recorder } = this.#shared;
    const reads = [...this.#devices.values()].filter(({ stamps }) => stamps?.pending).map((device) => device.read());
    const start = performance.now();
    return wait().then(async (value) => {
      recorder.waited(method, performance.now() - start);
      await Promise.all(reads).catch(() => {});
      return value;
    });
  }

  #queueMethods(): Record<string, Wrapper> {
    const { recorder } = this.#shared;
    return {
      submit: (self, args, call) => {
        const list = args[0] as Iterable<object> | undefined;
        const buffers = list && Symbol.iterator in Object(list) ? [...list] : [];
        const result = call(buffers.length > 0 ? [buffers, ...args.slice(1)] : args);
        this.#queues.get(self)?.submitted(buffers);
        return result;
      },
      writeBuffer: (_, args, call) => {
        recorder.moved(
          "GPUQueue.writeBuffer",
          writtenBytes(args[2], Number(args[3] ?? 0), args[4] as number | undefined),
        );
        return call(args);
      },
      writeTexture: (_, args, call) => {
        recorder.moved("GPUQueue.writeTexture", (args[1] as { byteLength?: number })?.byteLength ?? 0);
        return call(args);
      },
      copyExternalImageToTexture: (_, args, call) => call(args),
      onSubmittedWorkDone: (_, args, call) =>
        this.#waiting("GPUQueue.onSubmittedWorkDone", () => call(args) as Promise<undefined>),
    };
  }
}

/** The features without the one that the program did not ask for. */
function hideTimestamps(gpu: GPUDevice): void {
  const shown = new Set([...gpu.features].filter((feature) => feature !== timestamps));
  Object.defineProperty(gpu, "features", { value: shown, configurable: true, enumerable: true });
}

/** As of writeBuffer, `from` and `size` count elements of a typed array, bytes of anything else. */
function writtenBytes(data: unknown, from: number, size: number | undefined): number {
  const { BYTES_PER_ELEMENT: unit = 1, byteLength = 0 } = (data ?? {}) as Partial<Uint8Array>;
  return size === undefined ? byteLength - from * unit : Number(size) * unit;
}

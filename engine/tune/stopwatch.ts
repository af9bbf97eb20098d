import type { Device } from "../device/device.ts";
import { GpuError } from "../device/errors.ts";
import { greatestCommonDivisor } from "../kernel/grid.ts";
import { type KernelSource, specialise } from "../kernel/source.ts";
import { bufferUsage } from "../kernel/stream.ts";
import type { Constants } from "../kernel/template.ts";
import type { Allocation } from "../memory/allocation.ts";

/** A range of bytes from the start of a buffer, as an argument of a {@link BareKernel}. */
export interface Slice {
  readonly buffer: GPUBuffer;
  readonly sizeBytes: number;
}

/** The same buffer for the command stream, which never hands it to anybody else. */
export function allocationOf(slice: Slice): Allocation {
  return { ...slice, lastUse: 0, loan: 0, owner: "measurements" };
}

/** A kernel bound to its buffers, to be recorded any number of times into a pass of the caller's. */
export type Recorder = (pass: GPUComputePassEncoder, workgroups?: number) => void;

/**
 * A kernel without parameters, for measurements: recording it costs nothing but the calls themselves. The engine's own
 * stream hands work over every 48 dispatches, which is right for work and wrong for a stopwatch.
 */
export class BareKernel {
  readonly #device: Device;
  readonly #source: KernelSource;
  readonly #pipeline: GPUComputePipeline;

  constructor(device: Device, name: string, constants: Constants) {
    this.#device = device;
    this.#source = specialise(name, constants);
    const module = device.gpu.createShaderModule({ label: name, code: this.#source.wgsl });
    const compute = { module, entryPoint: "main" };
    this.#pipeline = device.gpu.createComputePipeline({ label: name, layout: "auto", compute });
  }

  /** @param slices one for every storage variable of the kernel, by its name there */
  bind(slices: Readonly<Record<string, Slice>>): Recorder {
    const group = this.#device.gpu.createBindGroup({
      label: this.#source.file,
      layout: this.#pipeline.getBindGroupLayout(0),
      entries: this.#source.bindings.map(({ name, binding }) => {
        const slice = slices[name];
        if (!slice) throw new GpuError(`${this.#source.file}: no argument for "${name}"`);
        return { binding, resource: { buffer: slice.buffer, size: slice.sizeBytes } };
      }),
    });
    return (pass, workgroups = 1) => {
      pass.setPipeline(this.#pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups);
    };
  }
}

/** What time is taken from, and how fine it is. */
export interface Clock {
  /** The adapter's own timestamps around a pass, or the host's clock from the submit until the work is done. */
  readonly source: "timestamp" | "wall";
  /** Step of the timestamps in ns: the greatest number that divides all of them. 65536 when Dawn quantises them; 0 for wall. */
  readonly stepNanoseconds: number;
}

const queryResolve = 512;
const stampBytes = 16;
/** A pass that lasts so long by the host's clock must move the adapter's. */
const provingMs = 50;

/** Times compute passes, by the adapter's timestamps where it has them and they work, else by the host's clock. */
export class Stopwatch {
  readonly #device: Device;
  #stamps: { readonly set: GPUQuerySet; readonly allocation: Allocation } | undefined;
  #stepNanoseconds = 0;
  #waitMs = 0;

  private constructor(device: Device) {
    this.#device = device;
  }

  /** @param proving a kernel to try the clock with */
  static async open(device: Device, proving: Recorder): Promise<Stopwatch> {
    const watch = new Stopwatch(device);
    await watch.#measureWait();
    if (device.features.has("timestamp-query")) await watch.#tryTimestamps(proving);
    return watch;
  }

  get clock(): Clock {
    return { source: this.#stamps ? "timestamp" : "wall", stepNanoseconds: this.#stepNanoseconds };
  }

  /** Milliseconds that the host waits for next to no work: well below one under Dawn, 12 under Deno, which polls. */
  get waitMs(): number {
    return this.#waitMs;
  }

  /** Work measured by the host's clock should last so long, in ms, that the wait for it is a small part. */
  get leastWallMs(): number {
    return Math.max(20, 10 * this.#waitMs);
  }

  /** A pass should last so long, in ms, to be timed to about 1 %. */
  get leastMs(): number {
    return this.#stamps ? Math.max(5, (this.#stepNanoseconds * 100) / 1e6) : this.leastWallMs;
  }

  /** Milliseconds that a pass of the recorded dispatches takes, alone on the device. */
  async pass(record: (pass: GPUComputePassEncoder) => void): Promise<number> {
    const { wallMs, stampMs } = await this.#run(record);
    return stampMs ?? wallMs;
  }

  /** Milliseconds by the host's clock from the start of `work` until everything it submitted is done. */
  async wall(work: () => void): Promise<number> {
    await this.#device.finish();
    const start = performance.now();
    work();
    await this.#device.finish();
    return performance.now() - start;
  }

  close(): void {
    this.#stamps?.set.destroy();
    this.#stamps?.allocation.buffer.destroy();
    this.#stamps = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #measureWait(): Promise<void> {
    const { gpu } = this.#device;
    for (let run = 0; run < 3; run++) {
      const ms = await this.wall(() => gpu.queue.submit([gpu.createCommandEncoder().finish()]));
      this.#waitMs = Math.max(this.#waitMs, ms);
    }
  }

  /** Timestamps are taken when they move forward, and not by more than the host's clock. */
  async #tryTimestamps(proving: Recorder): Promise<void> {
    const { gpu } = this.#device;
    const set = gpu.createQuerySet({ type: "timestamp", count: 2 });
    const buffer = gpu.createBuffer({ size: stampBytes, usage: queryResolve | bufferUsage.copySource });
    this.#stamps = { set, allocation: allocationOf({ buffer, sizeBytes: stampBytes }) };
    for (let dispatches = 1; ; dispatches *= 2) {
      const { wallMs, stampMs } = await this.#run((pass) => {
        for (let i = 0; i < dispatches; i++) proving(pass);
      });
      if (stampMs! > 0 && stampMs! <= wallMs + this.#stepNanoseconds / 1e6) return;
      if (stampMs! < 0 || wallMs > provingMs) break;
    }
    this.close();
    this.#stepNanoseconds = 0;
  }

  async #run(record: (pass: GPUComputePassEncoder) => void): Promise<{ wallMs: number; stampMs?: number }> {
    const { gpu, stream } = this.#device;
    const stamps = this.#stamps;
    const wallMs = await this.wall(() => {
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass(
        stamps && {
          timestampWrites: { querySet: stamps.set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
        },
      );
      record(pass);
      pass.end();
      if (stamps) encoder.resolveQuerySet(stamps.set, 0, 2, stamps.allocation.buffer, 0);
      gpu.queue.submit([encoder.finish()]);
    });
    if (!stamps) return { wallMs };
    const [begin, end] = new BigUint64Array(await stream.read(stamps.allocation, 0, stampBytes)) as unknown as [
      bigint,
      bigint,
    ];
    for (const stamp of [begin, end]) this.#refine(stamp);
    return { wallMs, stampMs: Number(end - begin) / 1e6 };
  }

  /** The step divides every timestamp. Only the last 2^52 ns are looked at, which a number holds exactly. */
  #refine(stamp: bigint): void {
    this.#stepNanoseconds = greatestCommonDivisor(Number(stamp % 2n ** 52n), this.#stepNanoseconds);
  }
}

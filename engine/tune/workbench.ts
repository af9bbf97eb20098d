import type { Device } from "../device/device.ts";
import { GpuError } from "../device/errors.ts";
import { bufferUsage } from "../kernel/stream.ts";
import type { Constants } from "../kernel/template.ts";
import type { Effort } from "./measured.ts";
import { allocationOf, BareKernel, type Recorder, type Slice, Stopwatch } from "./stopwatch.ts";

/** The largest power of two that is not above `bytes`. */
export function powerOfTwoWithin(bytes: number): number {
  return 2 ** Math.floor(Math.log2(bytes));
}

/** Bytes for results, where the sizes to be measured are smaller: one f32 for each of 4 Mi invocations. */
const resultBytes = 16 * 2 ** 20;

/** The contents of `x` repeat after so many numbers: 16 vec4s. */
const period = 64;

/** Sum of the numbers in the first `vec4s` vec4s of `x`, whole passes over its period. */
export function sumOfFirst(vec4s: number): number {
  return vec4s * 4 * ((period - 1) / 2);
}

/** Two buffers, a clock and a counting kernel, for the measurements of one device. */
export class Workbench {
  readonly device: Device;
  readonly watch: Stopwatch;
  /** Source of kernels, bytes a power of two. */
  readonly x: Slice;
  /** Destination of kernels; at least as large as `x`. */
  readonly y: Slice;
  /** Adds one to the first number of `y`, as u32. */
  readonly count: Recorder;
  readonly #kernels = new Map<string, BareKernel>();
  readonly #runs: number;
  readonly #leastMs: number | undefined;

  private constructor(
    device: Device,
    watch: Stopwatch,
    [x, y]: readonly [Slice, Slice],
    count: Recorder,
    effort: Partial<Effort>,
  ) {
    this.device = device;
    this.watch = watch;
    this.x = x;
    this.y = y;
    this.count = count;
    this.#runs = effort.runs ?? 5;
    this.#leastMs = effort.leastMs;
  }

  /** @param largestBytes a power of two that one binding can hold, for `x` */
  static async open(device: Device, largestBytes: number, effort: Partial<Effort> = {}): Promise<Workbench> {
    const forResults = Math.min(resultBytes, powerOfTwoWithin(device.maximumBindingBytes));
    const x = createSlice(device, largestBytes);
    const y = createSlice(device, Math.max(largestBytes, forResults));
    const piece = Float32Array.from({ length: Math.min(largestBytes, 2 ** 22) / 4 }, (_, i) => i % period);
    for (let at = 0; at < largestBytes; at += piece.byteLength) device.gpu.queue.writeBuffer(x.buffer, at, piece);
    const count = new BareKernel(device, "roof/count", {}).bind({ y: { buffer: y.buffer, sizeBytes: 4 } });
    return new Workbench(device, await Stopwatch.open(device, count), [x, y], count, effort);
  }

  /** Number i of `x`. */
  numberAt(i: number): number {
    return i % period;
  }

  /** A kernel, compiled once. */
  kernel(name: string, constants: Constants): BareKernel {
    const key = `${name} ${JSON.stringify(constants)}`;
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = new BareKernel(this.device, name, constants);
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }

  /** How long and how often to measure with the stopwatch's clock. */
  get effort(): Effort {
    return { runs: this.#runs, leastMs: this.#leastMs ?? this.watch.leastMs };
  }

  /** How long and how often to measure with the host's clock. */
  get wallEffort(): Effort {
    return { runs: this.#runs, leastMs: Math.max(this.#leastMs ?? this.watch.leastWallMs, 10 * this.watch.waitMs) };
  }

  /** Sets the first bytes of `y` to zero, so that the results of one kernel cannot pass for those of the next. */
  clear(bytes = this.y.sizeBytes): void {
    this.device.stream.clear(allocationOf(this.y), bytes);
  }

  /** `count` numbers of `y` from number `from` on. */
  async results(count: number, from = 0): Promise<Float32Array> {
    return new Float32Array(await this.device.stream.read(allocationOf(this.y), from * 4, count * 4));
  }

  /** Most workgroups of a kernel that leaves one f32 an invocation. */
  mostGroups(workgroup: number): number {
    const { maxComputeWorkgroupsPerDimension } = this.device.gpu.limits;
    return Math.max(1, Math.min(maxComputeWorkgroupsPerDimension, Math.floor(this.y.sizeBytes / (4 * workgroup))));
  }

  close(): void {
    this.watch.close();
    this.x.buffer.destroy();
    this.y.buffer.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function createSlice(device: Device, sizeBytes: number): Slice {
  const usage = bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination;
  return { buffer: device.gpu.createBuffer({ label: "roofs", size: sizeBytes, usage }), sizeBytes };
}

/** @throws GpuError when a kernel that was timed did not compute what it should have */
export function expectResult(what: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new GpuError(
    `while the roofs were measured, ${what} gave ${found} instead of ${expected}`,
    "update the GPU driver, or choose another adapter",
  );
}

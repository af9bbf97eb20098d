import { GpuError } from "../device/errors.ts";
import type { Allocation } from "../memory/allocation.ts";
import { Ledger } from "../memory/ledger.ts";
import { Labels } from "../profile/labels.ts";
import { type Call, describeTransfer } from "./call.ts";
import { DirectQueue, type StreamObserver, type WorkQueue } from "./observer.ts";
import type { Exchange, PlanRecorder, WriteParameters } from "./plan.ts";
import { ReplayEncoding } from "./replay-encoding.ts";
import { encodeShowing, Textures } from "./textures.ts";

/** Numeric values of the WebGPU usage flags (fixed by the specification), since not every runtime has the globals. */
export const bufferUsage = { mapRead: 1, copySource: 4, copyDestination: 8, uniform: 64, storage: 128 } as const;
const mapModeRead = 1;

/** Bytes that one dispatch may use for its parameters: a multiple of every alignment of uniform buffers that WebGPU allows. */
export const parameterBytes = 256;

/** After so many dispatches the recorded work is handed over, so that the adapter starts while the host goes on. */
const dispatchesPerSubmit = 48;

/** Parameters of a plan, on the host and on the adapter. */
interface PlanArena {
  readonly data: ArrayBuffer;
  readonly buffer: GPUBuffer;
  /** Bind groups of the dispatches, by slot. */
  readonly groups: readonly GPUBindGroup[];
}

/**
 * Records dispatches and copies in order and submits them in batches. Consecutive dispatches share one compute pass;
 * their parameters share one uniform buffer, reached by dynamic offsets, so that bind groups can be cached.
 */
export class Stream {
  /** Parameters of recorded dispatches, a slot for each. */
  readonly parameters: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #arenaData: ArrayBuffer;
  readonly #arenas = new Map<PlanRecorder, PlanArena>();
  readonly #doomed: GPUBuffer[] = [];
  readonly #staging: GPUBuffer[] = [];
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #slots = 0;
  #submission = 1;
  /** Dispatches recorded since the device was opened. */
  dispatches = 0;
  /** While true nothing is recorded, and reads give zeros: the device rehearses. */
  silent = false;
  /** Takes down everything that is recorded, while a plan is made. */
  recorder: PlanRecorder | undefined;
  /** While true what is recorded for a plan is not done yet: its first replay does it. */
  recordsOnly = false;
  /** Told of every handing-over of work, by those who measure how long the adapter has any. */
  onSubmit: (() => void) | undefined;
  /** Watches what is recorded, for a profile. */
  observer: StreamObserver | undefined;
  /** What is recorded for which operation, while somebody wants to know. */
  readonly labels = new Labels();
  /** Where recorded work goes. */
  queue: WorkQueue;
  /** Staging buffers of reads. */
  readonly readBack = new Ledger();
  /** What shows elements of buffers to kernels that read textures. */
  readonly textures: Textures;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.queue = new DirectQueue(device.queue);
    this.textures = new Textures(device);
    this.#arenaData = new ArrayBuffer(parameterBytes * dispatchesPerSubmit);
    this.parameters = device.createBuffer({
      label: "parameters",
      size: this.#arenaData.byteLength,
      usage: bufferUsage.uniform | bufferUsage.copyDestination,
    });
  }

  /** Records one dispatch with a bind group on {@link parameters}, which `write` fills; returns what it wrote. */
  dispatch(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    used: readonly Allocation[],
    grid: readonly [number, number, number],
    write: WriteParameters,
    call?: Call,
    cold = false,
  ): Uint8Array {
    if (this.recordsOnly) {
      const parameters = new Uint8Array(parameterBytes);
      write(new DataView(parameters.buffer));
      return parameters;
    }
    if (this.#slots === dispatchesPerSubmit) this.flush();
    const { observer } = this;
    if (observer && call) {
      this.#endPass();
      this.#pass = observer.pass(this.#commands(), call, cold);
    }
    this.#pass ??= this.#commands().beginComputePass();
    const offset = this.#slots++ * parameterBytes;
    write(new DataView(this.#arenaData, offset, parameterBytes));
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group, [offset]);
    this.#pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    for (const allocation of used) allocation.lastUse = this.#submission;
    this.dispatches++;
    if (observer) this.#endPass();
    if (observer?.alone) this.flush();
    return new Uint8Array(this.#arenaData, offset, parameterBytes);
  }

  copy(from: Allocation, fromByte: number, to: Allocation, toByte: number, bytes: number): void {
    if (this.silent || bytes === 0) return;
    from.lastUse = to.lastUse = this.#submission;
    this.#transfer("copy", bytes, (encoder) =>
      encoder.copyBufferToBuffer(from.buffer, fromByte, to.buffer, toByte, bytes),
    );
    this.recorder?.copy(from, fromByte, to, toByte, bytes, this.labels.current);
  }

  /** Fills the first `bytes` (rounded up to 4) of a buffer with zeros. */
  clear(target: Allocation, bytes: number): void {
    if (this.silent || bytes === 0) return;
    const whole = Math.ceil(bytes / 4) * 4;
    target.lastUse = this.#submission;
    this.#transfer("clear", whole, (encoder) => encoder.clearBuffer(target.buffer, 0, whole));
    this.recorder?.clear(target, whole, this.labels.current);
  }

  /** Copies elements of a buffer into the texture for so many bytes at a binding. */
  show(binding: number, from: Allocation, fromByte: number, bytes: number): void {
    if (this.silent) return;
    from.lastUse = this.#submission;
    const showing = { from: from.buffer, fromByte, bytes, to: this.textures.at(binding, bytes).texture };
    this.#transfer("copy", bytes, (encoder) => encodeShowing(encoder, showing));
    this.recorder?.show(showing, from, this.labels.current);
  }

  #transfer(kind: "copy" | "clear" | "read-back", bytes: number, work: (encoder: GPUCommandEncoder) => void): void {
    if (this.recordsOnly) return;
    this.#endPass();
    const encoder = this.#commands();
    const { observer } = this;
    if (!observer) {
      work(encoder);
      return;
    }
    observer.transfer(encoder, describeTransfer(kind, bytes, this.labels.current), () => work(encoder));
    if (observer.alone) this.flush();
  }

  /** Copies host data into a buffer. Recorded work that still uses the buffer under an earlier owner is submitted first. */
  upload(target: Allocation, data: ArrayBufferView<ArrayBuffer>, atByte = 0): void {
    if (this.silent || data.byteLength === 0) return;
    if (target.lastUse === this.#submission) this.flush();
    const whole = data.byteLength & ~3;
    if (whole > 0) this.queue.write(target.buffer, atByte, data.buffer, data.byteOffset, whole);
    if (whole < data.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
      this.queue.write(target.buffer, atByte + whole, tail);
    }
  }

  /** Does again what a recorder took down, after everything recorded before, and hands it over. */
  replay(plan: PlanRecorder): void {
    const start = this.observer ? performance.now() : 0;
    const encoding = this.#encodingOf(plan);
    for (const command of plan.commands) {
      if (command.kind === "dispatch") encoding.dispatch(command);
      else if (command.kind !== "send" && command.kind !== "receive") encoding.transfer(command);
    }
    // Handed over when all is recorded: a software adapter that is at work takes the cores from the host.
    this.#handOver(encoding);
    this.dispatches += encoding.slot;
    this.observer?.encoded(performance.now() - start);
  }

  /**
   * {@link replay} with the exchanges of the plan, which follow one another in the order in which they begin. Ends when the last command is
   * handed over.
   */
  async replayExchanging(plan: PlanRecorder): Promise<void> {
    const encoding = this.#encodingOf(plan);
    const begun = new Map<Exchange, Promise<ArrayBuffer>>();
    let last: Promise<unknown> = Promise.resolve();
    for (const command of plan.commands) {
      if (command.kind === "dispatch") encoding.dispatch(command);
      else if (command.kind === "send") {
        const { exchange } = command;
        const given = this.#sent(encoding, exchange);
        const found = last.then(() => given).then((bytes) => exchange.work(bytes));
        // Met where it is received.
        for (const promise of [given, found]) promise.catch(() => {});
        begun.set(exchange, found);
        last = found;
      } else if (command.kind === "receive") {
        const { exchange } = command;
        this.#handOver(encoding);
        const bytes = await begun.get(exchange)!;
        let at = 0;
        for (const span of exchange.to) {
          this.queue.write(span.buffer, span.fromByte, bytes, at, span.bytes);
          at += span.bytes;
        }
      } else encoding.transfer(command);
    }
    this.#handOver(encoding);
    this.dispatches += encoding.slot;
  }

  /** What an exchange takes from the device, once everything encoded before has run. */
  async #sent(encoding: ReplayEncoding, { from }: Exchange): Promise<ArrayBuffer> {
    const size = from.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = this.#takeStaging(size);
    encoding.out(from, staging);
    this.#handOver(encoding);
    return this.#mapped(staging, size, size);
  }

  #encodingOf(plan: PlanRecorder): ReplayEncoding {
    this.flush();
    return new ReplayEncoding(this.#device, this.#arenaOf(plan).groups, parameterBytes, this.observer);
  }

  #handOver(encoding: ReplayEncoding): void {
    for (const commands of encoding.finish()) this.queue.submit(commands);
    this.#submission++;
    this.onSubmit?.();
    this.observer?.submitted();
  }

  /** Frees what {@link replay} keeps for a recorder. */
  forget(plan: PlanRecorder): void {
    const arena = this.#arenas.get(plan);
    this.#arenas.delete(plan);
    if (arena) this.destroyLater(arena.buffer);
  }

  /** The parameters of a recorder on the adapter, those that vary written anew. */
  #arenaOf(plan: PlanRecorder): PlanArena {
    let arena = this.#arenas.get(plan);
    if (!arena) {
      const data = new ArrayBuffer(Math.max(1, plan.parameters.length) * parameterBytes);
      plan.parameters.forEach((parameters, slot) => {
        new Uint8Array(data).set(parameters, slot * parameterBytes);
      });
      const buffer = this.#device.createBuffer({
        label: "parameters of a plan",
        size: data.byteLength,
        usage: bufferUsage.uniform | bufferUsage.copyDestination,
      });
      this.queue.write(buffer, 0, data);
      const groups = plan.commands.flatMap((command) => (command.kind === "dispatch" ? command.bind(buffer) : []));
      arena = { data, buffer, groups };
      this.#arenas.set(plan, arena);
    }
    const { varying } = plan;
    for (const { slot, write } of varying) write(new DataView(arena.data, slot * parameterBytes, parameterBytes));
    // One upload from the first to the last of them: they are the update's, side by side.
    if (varying.length > 0) {
      const first = varying[0]!.slot * parameterBytes;
      const size = (varying.at(-1)!.slot + 1) * parameterBytes - first;
      this.queue.write(arena.buffer, first, arena.data, first, size);
    }
    return arena;
  }

  /** Submits what was recorded. */
  flush(): void {
    this.#endPass();
    if (this.#encoder) {
      if (this.#slots > 0) {
        this.queue.write(this.parameters, 0, this.#arenaData, 0, this.#slots * parameterBytes);
      }
      this.observer?.close(this.#encoder);
      this.queue.submit(this.#encoder.finish());
      this.#encoder = undefined;
      this.#slots = 0;
      this.#submission++;
      this.onSubmit?.();
      this.observer?.submitted();
    }
    for (const buffer of this.#doomed.splice(0)) this.queue.destroy(buffer);
  }

  /** Destroys a buffer once the recorded work that may use it has been submitted. */
  destroyLater(buffer: GPUBuffer): void {
    if (this.#encoder) this.#doomed.push(buffer);
    else this.queue.destroy(buffer);
  }

  /** Copies `bytes` from a buffer to the host; everything recorded before is done when the promise resolves. */
  async read(source: Allocation, fromByte: number, bytes: number): Promise<ArrayBuffer> {
    if (this.silent || bytes === 0) return new ArrayBuffer(bytes);
    if (this.recordsOnly)
      throw new GpuError("numbers were read in a trace that is not done yet; read them after its replay");
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.#takeStaging(size);
    source.lastUse = this.#submission;
    this.labels.cut();
    this.#transfer("read-back", size, (encoder) =>
      encoder.copyBufferToBuffer(source.buffer, fromByte, staging, 0, size),
    );
    this.labels.cut();
    this.flush();
    return this.#mapped(staging, size, bytes);
  }

  /** The first bytes of a staging buffer, which is free for others then. */
  async #mapped(staging: GPUBuffer, size: number, bytes: number): Promise<ArrayBuffer> {
    const draining = this.queue.drained();
    if (draining) await draining;
    await staging.mapAsync(mapModeRead, 0, size);
    const copy = staging.getMappedRange(0, size).slice(0, bytes);
    staging.unmap();
    this.#keepStaging(staging);
    return copy;
  }

  /** Resolves when everything recorded so far has run. */
  async finish(): Promise<void> {
    this.flush();
    const draining = this.queue.drained();
    if (draining) await draining;
    await this.#device.queue.onSubmittedWorkDone();
  }

  #commands(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  /** The smallest idle staging buffer that is large enough, or a new one. */
  #takeStaging(size: number): GPUBuffer {
    const fit = this.#staging.findIndex((buffer) => buffer.size >= size);
    if (fit >= 0) return this.#staging.splice(fit, 1)[0]!;
    const buffer = this.#device.createBuffer({
      label: "read-back",
      size: Math.max(4096, 2 ** Math.ceil(Math.log2(size))),
      usage: bufferUsage.mapRead | bufferUsage.copyDestination,
    });
    this.readBack.add("read-back", buffer.size);
    return buffer;
  }

  /** Keeps the four largest idle staging buffers, the smallest first. */
  #keepStaging(staging: GPUBuffer): void {
    this.#staging.push(staging);
    this.#staging.sort((a, b) => a.size - b.size);
    if (this.#staging.length <= 4) return;
    const smallest = this.#staging.shift()!;
    this.readBack.remove("read-back", smallest.size);
    smallest.destroy();
  }
}

import { Ledger } from "../memory/ledger.ts";
import type { Allocation } from "../memory/pool.ts";
import type { PlanRecorder, WriteParameters } from "./plan.ts";

/** Numeric values of the WebGPU usage flags (fixed by the specification), since not every runtime has the globals. */
export const bufferUsage = { mapRead: 1, copySource: 4, copyDestination: 8, uniform: 64, storage: 128 } as const;
const mapModeRead = 1;

/** Bytes that one dispatch may use for its parameters. */
export const parameterBytes = 128;

/** After so many dispatches the recorded work is handed over, so that the adapter starts while the host goes on. */
const dispatchesPerSubmit = 48;

/** The same for a replay, whose recording costs the host next to nothing; bounds how long the adapter is busy at a stretch. */
const dispatchesPerReplaySubmit = 128;

/** Parameters of a plan, on the host and on the adapter. */
interface PlanArena {
  readonly data: ArrayBuffer;
  readonly buffer: GPUBuffer;
  readonly group: GPUBindGroup;
}

/**
 * Records dispatches and copies in order and submits them in batches. Consecutive dispatches share one compute pass;
 * their parameters share one uniform buffer, reached by dynamic offsets, so that bind groups can be cached.
 */
export class Stream {
  readonly parameterLayout: GPUBindGroupLayout;
  readonly #device: GPUDevice;
  readonly #slotBytes: number;
  readonly #arena: GPUBuffer;
  readonly #arenaGroup: GPUBindGroup;
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
  /** Staging buffers of reads. */
  readonly readBack = new Ledger();

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#slotBytes = Math.max(device.limits.minUniformBufferOffsetAlignment, parameterBytes);
    this.#arenaData = new ArrayBuffer(this.#slotBytes * dispatchesPerSubmit);
    this.#arena = device.createBuffer({
      label: "parameters",
      size: this.#arenaData.byteLength,
      usage: bufferUsage.uniform | bufferUsage.copyDestination,
    });
    this.parameterLayout = device.createBindGroupLayout({
      label: "parameters",
      entries: [{ binding: 0, visibility: 4, buffer: { type: "uniform", hasDynamicOffset: true } }],
    });
    this.#arenaGroup = this.#parameterGroup(this.#arena);
  }

  /** Records one dispatch; `write` fills its parameters, which `vary` from replay to replay of a plan or not. */
  dispatch(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    used: readonly Allocation[],
    grid: readonly [number, number, number],
    write: WriteParameters,
    vary = false,
  ): void {
    if (this.#slots === dispatchesPerSubmit) this.flush();
    this.#pass ??= this.#commands().beginComputePass();
    const offset = this.#slots++ * this.#slotBytes;
    write(new DataView(this.#arenaData, offset, parameterBytes));
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group);
    this.#pass.setBindGroup(1, this.#arenaGroup, [offset]);
    this.#pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    for (const allocation of used) allocation.lastUse = this.#submission;
    this.dispatches++;
    if (this.recorder) {
      const parameters = new Uint8Array(this.#arenaData, offset, parameterBytes).slice();
      this.recorder.dispatch(pipeline, group, grid, used, parameters, vary ? write : undefined);
    }
  }

  copy(from: Allocation, fromByte: number, to: Allocation, toByte: number, bytes: number): void {
    if (this.silent) return;
    this.#endPass();
    this.#commands().copyBufferToBuffer(from.buffer, fromByte, to.buffer, toByte, bytes);
    from.lastUse = to.lastUse = this.#submission;
    this.recorder?.copy(from, fromByte, to, toByte, bytes);
  }

  /** Fills the first `bytes` (rounded up to 4) of a buffer with zeros. */
  clear(target: Allocation, bytes: number): void {
    if (this.silent) return;
    this.#endPass();
    const whole = Math.ceil(bytes / 4) * 4;
    this.#commands().clearBuffer(target.buffer, 0, whole);
    target.lastUse = this.#submission;
    this.recorder?.clear(target, whole);
  }

  /** Copies host data into a buffer. Recorded work that still uses the buffer under an earlier owner is submitted first. */
  upload(target: Allocation, data: ArrayBufferView<ArrayBuffer>, atByte = 0): void {
    if (this.silent) return;
    if (target.lastUse === this.#submission) this.flush();
    const whole = data.byteLength & ~3;
    if (whole > 0) this.#device.queue.writeBuffer(target.buffer, atByte, data.buffer, data.byteOffset, whole);
    if (whole < data.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
      this.#device.queue.writeBuffer(target.buffer, atByte + whole, tail);
    }
  }

  /** Does again what a recorder took down, after everything recorded before, and hands it over. */
  replay(plan: PlanRecorder): void {
    this.flush();
    const arena = this.#arenaOf(plan);
    const offsets = new Uint32Array(1);
    let slot = 0;
    for (const command of plan.commands) {
      if (command.kind === "dispatch") {
        this.#pass ??= this.#commands().beginComputePass();
        offsets[0] = slot++ * this.#slotBytes;
        this.#pass.setPipeline(command.pipeline);
        this.#pass.setBindGroup(0, command.group);
        this.#pass.setBindGroup(1, arena.group, offsets, 0, 1);
        this.#pass.dispatchWorkgroups(command.grid[0], command.grid[1], command.grid[2]);
        if (slot % dispatchesPerReplaySubmit === 0) this.flush();
        continue;
      }
      this.#endPass();
      if (command.kind === "clear") this.#commands().clearBuffer(command.target, 0, command.bytes);
      else {
        const { from, fromByte, to, toByte, bytes } = command;
        this.#commands().copyBufferToBuffer(from, fromByte, to, toByte, bytes);
      }
    }
    this.dispatches += slot;
    this.flush();
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
      const data = new ArrayBuffer(Math.max(1, plan.parameters.length) * this.#slotBytes);
      plan.parameters.forEach((parameters, slot) => {
        new Uint8Array(data).set(parameters, slot * this.#slotBytes);
      });
      const buffer = this.#device.createBuffer({
        label: "parameters of a plan",
        size: data.byteLength,
        usage: bufferUsage.uniform | bufferUsage.copyDestination,
      });
      this.#device.queue.writeBuffer(buffer, 0, data);
      arena = { data, buffer, group: this.#parameterGroup(buffer) };
      this.#arenas.set(plan, arena);
    }
    const { varying } = plan;
    for (const { slot, write } of varying) write(new DataView(arena.data, slot * this.#slotBytes, parameterBytes));
    // One upload from the first to the last of them: they are the update's, side by side.
    if (varying.length > 0) {
      const first = varying[0]!.slot * this.#slotBytes;
      const size = (varying.at(-1)!.slot + 1) * this.#slotBytes - first;
      this.#device.queue.writeBuffer(arena.buffer, first, arena.data, first, size);
    }
    return arena;
  }

  #parameterGroup(buffer: GPUBuffer): GPUBindGroup {
    return this.#device.createBindGroup({
      label: "parameters",
      layout: this.parameterLayout,
      entries: [{ binding: 0, resource: { buffer, size: parameterBytes } }],
    });
  }

  /** Submits what was recorded. */
  flush(): void {
    this.#endPass();
    if (this.#encoder) {
      if (this.#slots > 0) {
        this.#device.queue.writeBuffer(this.#arena, 0, this.#arenaData, 0, this.#slots * this.#slotBytes);
      }
      this.#device.queue.submit([this.#encoder.finish()]);
      this.#encoder = undefined;
      this.#slots = 0;
      this.#submission++;
    }
    for (const buffer of this.#doomed.splice(0)) buffer.destroy();
  }

  /** Destroys a buffer once the recorded work that may use it has been submitted. */
  destroyLater(buffer: GPUBuffer): void {
    if (this.#encoder) this.#doomed.push(buffer);
    else buffer.destroy();
  }

  /** Copies `bytes` from a buffer to the host; everything recorded before is done when the promise resolves. */
  async read(source: Allocation, fromByte: number, bytes: number): Promise<ArrayBuffer> {
    if (this.silent) return new ArrayBuffer(bytes);
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.#takeStaging(size);
    this.#endPass();
    this.#commands().copyBufferToBuffer(source.buffer, fromByte, staging, 0, size);
    source.lastUse = this.#submission;
    this.flush();
    await staging.mapAsync(mapModeRead, 0, size);
    const copy = staging.getMappedRange(0, size).slice(0, bytes);
    staging.unmap();
    this.#keepStaging(staging);
    return copy;
  }

  /** Resolves when everything recorded so far has run. */
  async finish(): Promise<void> {
    this.flush();
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

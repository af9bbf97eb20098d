import { describeTransfer } from "./call.ts";
import type { StreamObserver } from "./observer.ts";
import type { DispatchCommand, Span, TransferCommand } from "./plan.ts";
import { encodeShowing } from "./textures.ts";

/** After so many dispatches of a replay a command buffer ends; bounds how long the adapter is busy at a stretch. */
const dispatchesPerSubmit = 384;

/** Encodes the commands of a plan once more, with next to no work for the host. */
export class ReplayEncoding {
  readonly #device: GPUDevice;
  readonly #groups: readonly GPUBindGroup[];
  /** Bytes between the parameters of one dispatch and those of the next. */
  readonly #stride: number;
  readonly #observer: StreamObserver | undefined;
  #finished: GPUCommandBuffer[] = [];
  #encoder: GPUCommandEncoder;
  #pass: GPUComputePassEncoder | undefined;
  #pipeline: GPUComputePipeline | undefined;
  /** Dispatches so far. */
  slot = 0;

  constructor(
    device: GPUDevice,
    groups: readonly GPUBindGroup[],
    stride: number,
    observer: StreamObserver | undefined,
  ) {
    this.#device = device;
    this.#groups = groups;
    this.#stride = stride;
    this.#observer = observer;
    this.#encoder = device.createCommandEncoder();
  }

  dispatch(command: DispatchCommand): void {
    const observer = this.#observer;
    if (observer) {
      this.#endPass();
      this.#pass = observer.pass(this.#encoder, command.call, false);
    }
    this.#pass ??= this.#encoder.beginComputePass();
    if (this.#pipeline !== command.pipeline) this.#pass.setPipeline(command.pipeline);
    this.#pipeline = command.pipeline;
    this.#pass.setBindGroup(0, this.#groups[this.slot]!, [this.slot++ * this.#stride]);
    this.#pass.dispatchWorkgroups(command.grid[0], command.grid[1], command.grid[2]);
    if (this.slot % dispatchesPerSubmit === 0 || observer?.alone) this.#close();
  }

  transfer(command: TransferCommand): void {
    this.#endPass();
    const observer = this.#observer;
    const work = () => encodeTransfer(this.#encoder, command);
    const kind = command.kind === "clear" ? "clear" : "copy";
    if (observer) observer.transfer(this.#encoder, describeTransfer(kind, command.bytes, command.label), work);
    else work();
    if (observer?.alone) this.#close();
  }

  /** Copies parts of buffers into one that the host reads, one after another. */
  out(spans: readonly Span[], staging: GPUBuffer): void {
    this.#endPass();
    let at = 0;
    for (const { buffer, fromByte, bytes } of spans) {
      this.#encoder.copyBufferToBuffer(buffer, fromByte, staging, at, bytes);
      at += bytes;
    }
  }

  /** What was encoded since the last call. */
  finish(): readonly GPUCommandBuffer[] {
    this.#close();
    const finished = this.#finished;
    this.#finished = [];
    return finished;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = this.#pipeline = undefined;
  }

  #close(): void {
    this.#endPass();
    this.#observer?.close(this.#encoder);
    this.#finished.push(this.#encoder.finish());
    this.#encoder = this.#device.createCommandEncoder();
  }
}

function encodeTransfer(encoder: GPUCommandEncoder, command: TransferCommand): void {
  if (command.kind === "clear") encoder.clearBuffer(command.target, 0, command.bytes);
  else if (command.kind === "show") encodeShowing(encoder, command);
  else encoder.copyBufferToBuffer(command.from, command.fromByte, command.to, command.toByte, command.bytes);
}

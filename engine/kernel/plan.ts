import { GpuError } from "../device/errors.ts";
import type { Allocation } from "../memory/allocation.ts";
import type { Label } from "../profile/labels.ts";
import type { Grid } from "./argument.ts";
import type { Call } from "./call.ts";
import type { Showing } from "./textures.ts";

/** One call of a kernel. */
export interface DispatchCommand {
  readonly kind: "dispatch";
  readonly pipeline: GPUComputePipeline;
  /** Makes the bind group with this buffer of parameters, reached by a dynamic offset. */
  readonly bind: (parameters: GPUBuffer) => GPUBindGroup;
  readonly grid: Grid;
  /** For profiles. */
  readonly call: Call;
}

/** A copy between buffers or into a texture, or zeros for a buffer. */
export type TransferCommand = { readonly bytes: number; readonly label: Label } & (
  | {
      readonly kind: "copy";
      readonly from: GPUBuffer;
      readonly fromByte: number;
      readonly to: GPUBuffer;
      readonly toByte: number;
    }
  | ({ readonly kind: "show" } & Showing)
  | { readonly kind: "clear"; readonly target: GPUBuffer }
);

/** A part of a buffer. */
export interface Span {
  readonly buffer: GPUBuffer;
  readonly fromByte: number;
  /** A multiple of 4. */
  readonly bytes: number;
}

/** What goes out of a plan and comes back into it. */
export interface Exchange {
  readonly from: readonly Span[];
  readonly to: readonly Span[];
  /** Bytes from the device, those of `from` one after another → bytes for it, those of `to`. */
  readonly work: (given: ArrayBuffer) => Promise<ArrayBuffer>;
}

/** The device's numbers go out, and work that follows does not wait; or it waits for what comes of them. */
export type ExchangeCommand =
  | { readonly kind: "send"; readonly exchange: Exchange }
  | { readonly kind: "receive"; readonly exchange: Exchange };

/** What the command stream did, in order. */
export type Command = DispatchCommand | TransferCommand | ExchangeCommand;

/** Fills the parameters of one dispatch. */
export type WriteParameters = (view: DataView) => void;

/** Takes down what a piece of work does with the command stream. */
export class PlanRecorder {
  readonly commands: Command[] = [];
  /** Parameters of the dispatches, a slot for each. */
  readonly parameters: Uint8Array[] = [];
  /** Slots whose parameters are computed anew at every replay. */
  readonly varying: { readonly slot: number; readonly write: WriteParameters }[] = [];
  /** Buffers from before, which must outlive the plan, and the loans of them that were used. */
  readonly outside = new Map<Allocation, number>();
  /** Exchanges, in the order in which they begin. */
  readonly exchanges: Exchange[] = [];

  /** @param parameters as they were at the recording; `write` computes those that vary */
  dispatch(
    command: DispatchCommand,
    used: readonly Allocation[],
    parameters: Uint8Array,
    write?: WriteParameters,
  ): void {
    if (write) this.varying.push({ slot: this.parameters.length, write });
    this.parameters.push(parameters.slice());
    this.commands.push(command);
    this.#note(used);
  }

  copy(from: Allocation, fromByte: number, to: Allocation, toByte: number, bytes: number, label: Label): void {
    this.commands.push({ kind: "copy", from: from.buffer, fromByte, to: to.buffer, toByte, bytes, label });
    this.#note([from, to]);
  }

  show(showing: Showing, from: Allocation, label: Label): void {
    this.commands.push({ kind: "show", ...showing, label });
    this.#note([from]);
  }

  clear(target: Allocation, bytes: number, label: Label): void {
    this.commands.push({ kind: "clear", target: target.buffer, bytes, label });
    this.#note([target]);
  }

  /** Begins an exchange; `receive` ends it. */
  send(exchange: Exchange, used: readonly Allocation[]): void {
    this.exchanges.push(exchange);
    this.commands.push({ kind: "send", exchange });
    this.#note(used);
  }

  receive(exchange: Exchange, used: readonly Allocation[]): void {
    this.commands.push({ kind: "receive", exchange });
    this.#note(used);
  }

  #note(used: readonly Allocation[]): void {
    for (const allocation of used) if (!allocation.plan) this.outside.set(allocation, allocation.loan);
  }
}

/** Ways to do what a plan recorded. */
export interface Replays {
  readonly now: () => void;
  /** With exchanges between. */
  readonly exchanging: () => Promise<void>;
}

/**
 * A piece of work that was recorded once and can be done again, with the same kernels on the same buffers, at a fraction of
 * the host's time. Made by `device.trace`. The elements of tensors from outside may change between replays, the tensors
 * must not end; numbers given as functions are computed anew, all others are those of the recording.
 */
export class Plan<T> {
  /** What the work returned: tensors that each replay writes anew. They end with the plan. */
  readonly result: T;
  readonly #replay: Replays;
  readonly #recorder: PlanRecorder;
  readonly #release: () => void;
  #disposed = false;

  constructor(replay: Replays, recorder: PlanRecorder, result: T, release: () => void) {
    this.#replay = replay;
    this.#recorder = recorder;
    this.result = result;
    this.#release = release;
  }

  /** True once it can no longer be replayed. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Dispatches of one replay. */
  get dispatches(): number {
    return this.#recorder.parameters.length;
  }

  /** Bytes that come back in each exchange: the same for all who exchange with one another. */
  get exchanges(): readonly number[] {
    return this.#recorder.exchanges.map(({ to }) => to.reduce((sum, { bytes }) => sum + bytes, 0));
  }

  /**
   * Does the work again; nothing waits.
   * @throws GpuError when the plan was disposed of, a tensor from outside that it uses has ended, or it exchanges
   */
  replay(): void {
    this.#expectReplayable();
    if (this.#recorder.exchanges.length > 0)
      throw new GpuError("a plan that exchanges with others was replayed without waiting for them");
    this.#replay.now();
  }

  /**
   * Does the work again, with its exchanges, and waits for the last of them.
   * @throws as {@link replay}, and what an exchange throws
   */
  async replayed(): Promise<void> {
    this.#expectReplayable();
    if (this.#recorder.exchanges.length > 0) await this.#replay.exchanging();
    else this.#replay.now();
  }

  #expectReplayable(): void {
    if (this.#disposed) throw new GpuError("a plan was replayed after it was disposed of");
    for (const [allocation, loan] of this.#recorder.outside) {
      if (allocation.loan !== loan)
        throw new GpuError("a plan cannot be replayed: a tensor from outside that it uses has ended");
    }
  }

  /** Gives the buffers of the plan back. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

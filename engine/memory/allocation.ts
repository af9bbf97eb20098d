/** A storage buffer on loan from the pool. `sizeBytes` is the size of the buffer, at least what was asked for. */
export interface Allocation {
  readonly buffer: GPUBuffer;
  readonly sizeBytes: number;
  /** Number of the last submission that used the buffer; kept by the command stream. */
  lastUse: number;
  /** Whom it is counted for; changed by `BufferPool.assign`. */
  owner: string;
  /** Counts its loans: another number means that the tensor it was lent to has ended. */
  loan: number;
  /** The plan that keeps it. */
  plan?: PlanMemory | undefined;
  /** Kept by a plan with its content, because the host filled it. */
  filled?: boolean;
  /** The driver could not make it: it is lent to nobody else. */
  spoilt?: boolean;
}

/**
 * The buffers of a plan. Those that end within it are used again within it, in the order in which they were recorded;
 * none leaves the plan while it lives.
 */
export class PlanMemory {
  readonly #free = new Map<number, Allocation[]>();
  readonly #loans = new Set<Allocation>();
  readonly #ended = new Set<Allocation>();

  /** A buffer of the plan of this size class that has ended. */
  take(sizeBytes: number): Allocation | undefined {
    const allocation = this.#free.get(sizeBytes)?.pop();
    if (allocation) this.#ended.delete(allocation);
    return allocation;
  }

  add(allocation: Allocation): void {
    allocation.plan = this;
    this.#loans.add(allocation);
  }

  /** Takes back a buffer of the plan. One that was filled from the host keeps its content for every replay. */
  give(allocation: Allocation): void {
    this.#ended.add(allocation);
    if (allocation.filled) return;
    const list = this.#free.get(allocation.sizeBytes);
    if (list) list.push(allocation);
    else this.#free.set(allocation.sizeBytes, [allocation]);
  }

  /** Ends the plan's hold on its buffers; returns those that nobody uses. Others are ordinary loans from now on. */
  dissolve(): Allocation[] {
    for (const allocation of this.#loans) {
      allocation.plan = undefined;
      allocation.filled = false;
    }
    const ended = [...this.#ended];
    this.#free.clear();
    this.#loans.clear();
    this.#ended.clear();
    return ended;
  }
}

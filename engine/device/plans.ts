import { Plan, PlanRecorder } from "../kernel/plan.ts";
import type { Stream } from "../kernel/stream.ts";
import { PlanMemory } from "../memory/allocation.ts";
import type { ScopeStack } from "../memory/scope.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { GpuError } from "./errors.ts";
import type { Lifetime } from "./lifetime.ts";

export interface TraceOptions {
  /** The device may dispose of the plan when other work needs its memory. */
  readonly yielding?: boolean;
  /** Nothing is done while it is recorded: the first replay is the first time. What exchanges with others is recorded like this alone. */
  readonly later?: boolean;
}

/** Records the plans of one device, and ends those that may be ended. */
export class Plans {
  readonly #memory: DeviceMemory;
  readonly #stream: Stream;
  readonly #scopes: ScopeStack;
  readonly #lifetime: Lifetime;
  /** Plans that end when others need their memory. */
  readonly #yielding = new Set<Disposable>();

  constructor(memory: DeviceMemory, stream: Stream, scopes: ScopeStack, lifetime: Lifetime) {
    this.#memory = memory;
    this.#stream = stream;
    this.#scopes = scopes;
    this.#lifetime = lifetime;
  }

  /** See `Device.trace`. */
  trace<T>(work: () => T, { yielding = false, later = false }: TraceOptions): Plan<T> {
    const stream = this.#stream;
    const { pool } = this.#memory;
    if (pool.plan) throw new GpuError("a trace cannot run within another");
    const recorder = new PlanRecorder();
    const memory = new PlanMemory();
    pool.plan = memory;
    // A rehearsal counts the buffers of the plan and records nothing.
    if (!stream.silent) {
      stream.recorder = recorder;
      stream.recordsOnly = later;
    }
    const unlabel = stream.labels.hold();
    const end = () => {
      pool.plan = undefined;
      stream.recorder = undefined;
      stream.recordsOnly = false;
      unlabel();
    };
    const release = () => {
      stream.forget(recorder);
      for (const allocation of memory.dissolve()) this.#memory.pool.release(allocation);
    };
    try {
      const { result, dispose } = this.#scopes.runAndKeep(work);
      end();
      const plan = new Plan(
        { now: () => this.#replay(recorder), exchanging: () => this.#replayExchanging(recorder) },
        recorder,
        result,
        () => {
          this.#yielding.delete(plan);
          dispose();
          release();
        },
      );
      if (yielding) this.#yielding.add(plan);
      return plan;
    } catch (error) {
      end();
      release();
      throw error;
    }
  }

  /** Disposes of plans that others may end; false when there was none. */
  endYielding(): boolean {
    const plans = [...this.#yielding];
    for (const plan of plans) plan[Symbol.dispose]();
    return plans.length > 0;
  }

  #replay(recorder: PlanRecorder): void {
    this.#lifetime.check();
    if (!this.#stream.silent) this.#stream.replay(recorder);
  }

  async #replayExchanging(recorder: PlanRecorder): Promise<void> {
    this.#lifetime.check();
    if (!this.#stream.silent) await this.#lifetime.settled(this.#stream.replayExchanging(recorder));
  }
}

import { Plan, PlanRecorder } from "../kernel/plan.ts";
import type { Stream } from "../kernel/stream.ts";
import { PlanMemory } from "../memory/allocation.ts";
import type { ScopeStack } from "../memory/scope.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { GpuError } from "./errors.ts";

export interface TraceOptions {
  /** The device may dispose of the plan when other work needs its memory. */
  readonly yielding?: boolean;
}

/** Records the plans of one device, and ends those that may be ended. */
export class Plans {
  readonly #memory: DeviceMemory;
  readonly #stream: Stream;
  readonly #scopes: ScopeStack;
  /** Called before a replay. */
  readonly #check: () => void;
  /** Plans that end when others need their memory. */
  readonly #yielding = new Set<Disposable>();

  constructor(memory: DeviceMemory, stream: Stream, scopes: ScopeStack, check: () => void) {
    this.#memory = memory;
    this.#stream = stream;
    this.#scopes = scopes;
    this.#check = check;
  }

  /** See `Device.trace`. */
  trace<T>(work: () => T, { yielding = false }: TraceOptions): Plan<T> {
    const stream = this.#stream;
    const { pool } = this.#memory;
    if (pool.plan) throw new GpuError("a trace cannot run within another");
    const recorder = new PlanRecorder();
    const memory = new PlanMemory();
    pool.plan = memory;
    // A rehearsal counts the buffers of the plan and records nothing.
    if (!stream.silent) stream.recorder = recorder;
    const unlabel = stream.labels.hold();
    const end = () => {
      pool.plan = undefined;
      stream.recorder = undefined;
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
        () => this.#replay(recorder),
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
    this.#check();
    if (!this.#stream.silent) this.#stream.replay(recorder);
  }
}

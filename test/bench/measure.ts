import { join } from "node:path";
import type { Case } from "./cases.ts";
import { relativeError, tolerance } from "./data.ts";
import type { EngineName } from "./engines.ts";
import { EngineProcess } from "./process.ts";
import type { Reply } from "./protocol.ts";
import type { Cell, Row } from "./results.ts";

export interface MeasureOptions {
  /** Timed runs of each engine. */
  readonly runs: number;
  /** An engine gets no further run of a case once its timed runs took so long, seconds. */
  readonly budgetSeconds: number;
  /** An engine that does not answer so long is ended, seconds. */
  readonly timeoutSeconds: number;
  /** Folder for outputs under comparison. */
  readonly folder: string;
}

/** The engines under comparison; one whose process has ended is opened again for the next case. */
export class Field {
  readonly #engines = new Map<EngineName, EngineProcess>();
  readonly #options: MeasureOptions;
  #turn = 0;

  constructor(options: MeasureOptions) {
    this.#options = options;
  }

  /** Opens an engine to stay. @throws EngineError with the reason when it cannot be */
  async open(name: EngineName): Promise<EngineProcess> {
    const engine = await EngineProcess.open(name, this.#options.timeoutSeconds);
    this.#engines.set(name, engine);
    return engine;
  }

  /** All engines prepare the case and are compared with ours, then they run in turns. */
  async measure(wanted: Case): Promise<Row> {
    const cells: Partial<Record<EngineName, Cell>> = {};
    const ready = new Map<EngineName, Contender>();
    for (const name of this.#engines.keys()) {
      try {
        const prepared = await this.#prepare(name, wanted);
        if (prepared instanceof Contender) ready.set(name, prepared);
        else cells[name] = prepared;
      } catch (error) {
        cells[name] = { is: "failed", reason: text(error) };
      }
    }
    const ours = ready.get("acutance");
    for (const [name, contender] of ready) {
      if (!ours) cells[name] = { is: "failed", reason: "not compared: our own engine failed at this case" };
      else {
        contender.relativeError = worstError(contender.outputs, ours.outputs);
        if (!(contender.relativeError <= tolerance)) {
          cells[name] = { is: "mismatch", relativeError: contender.relativeError };
        }
      }
    }
    const running = [...ready].filter(([name]) => !cells[name]);
    await this.#takeTurns(running, cells);
    for (const [name] of ready) await this.#release(name);
    for (const [name, contender] of running) cells[name] ??= contender.measured();
    return { group: wanted.group, name: wanted.name, cells };
  }

  close(): void {
    for (const engine of this.#engines.values()) engine.close();
  }

  async #prepare(name: EngineName, wanted: Case): Promise<Contender | Cell> {
    if (!this.#engines.get(name)!.alive) await this.open(name);
    const outputs = join(this.#options.folder, `${name}.f32`);
    const request = { do: "prepare", name: wanted.name, outputs } as const;
    const reply = await this.#engines.get(name)!.ask(request, this.#options.timeoutSeconds);
    if (reply.is === "prepared") return new Contender(reply.seconds, await outputsOf(outputs, reply.lengths));
    return refusal(reply);
  }

  /** One warm-up each, then A B C, B C A, …: a slow minute of the machine falls on all alike. */
  async #takeTurns(contenders: readonly [EngineName, Contender][], cells: Partial<Record<EngineName, Cell>>) {
    const { runs, budgetSeconds, timeoutSeconds } = this.#options;
    for (let round = -1; round < runs; round++) {
      const start = this.#turn++ % Math.max(1, contenders.length);
      for (const [name, contender] of [...contenders.slice(start), ...contenders.slice(0, start)]) {
        if (cells[name] || contender.isSpent(budgetSeconds)) continue;
        try {
          const reply = await this.#engines.get(name)!.ask({ do: "run" }, timeoutSeconds);
          if (reply.is !== "ran") cells[name] = refusal(reply);
          else if (round < 0) contender.warm(reply.ms, budgetSeconds);
          else contender.ms.push(reply.ms);
        } catch (error) {
          cells[name] = { is: "failed", reason: text(error) };
        }
      }
    }
  }

  async #release(name: EngineName): Promise<void> {
    const engine = this.#engines.get(name)!;
    if (!engine.alive) return;
    try {
      const reply = await engine.ask({ do: "release" }, this.#options.timeoutSeconds);
      // What could not be freed would burden the next case.
      if (reply.is !== "released") engine.close();
    } catch {
      engine.close();
    }
  }
}

/** An engine that is ready to run a case. */
class Contender {
  readonly firstSeconds: number;
  readonly outputs: readonly Float32Array[];
  readonly ms: number[] = [];
  relativeError = 0;

  constructor(firstSeconds: number, outputs: readonly Float32Array[]) {
    this.firstSeconds = firstSeconds;
    this.outputs = outputs;
  }

  /** A warm-up that alone takes the budget is the measurement: there is no time for another. */
  warm(ms: number, budgetSeconds: number): void {
    if (ms > budgetSeconds * 1000) this.ms.push(ms);
  }

  isSpent(budgetSeconds: number): boolean {
    return this.ms.reduce((total, ms) => total + ms, 0) > budgetSeconds * 1000;
  }

  measured(): Cell {
    return { is: "measured", ms: this.ms, firstSeconds: this.firstSeconds, relativeError: this.relativeError };
  }
}

function refusal(reply: Reply): Cell {
  if (reply.is === "not offered" || reply.is === "failed") return reply;
  return { is: "failed", reason: `unexpected reply "${reply.is}"` };
}

const text = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function outputsOf(path: string, lengths: readonly number[]): Promise<Float32Array[]> {
  const all = new Float32Array(await Bun.file(path).arrayBuffer());
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return all.subarray(start - length, start);
  });
}

function worstError(found: readonly Float32Array[], expected: readonly Float32Array[]): number {
  if (found.length !== expected.length) return Number.NaN;
  return Math.max(...found.map((data, i) => relativeError(data, expected[i]!)));
}

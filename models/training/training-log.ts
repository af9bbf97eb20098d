import type { Device } from "../../engine/device/device.ts";
import { memorySummary } from "../../engine/memory/report.ts";
import type { LoadedBatch } from "./batches.ts";
import type { Position } from "./checkpoint.ts";
import type { Method, Phase } from "./method.ts";
import type { StepReport } from "./stepper.ts";
import { type Progress, TrainingError, type TrainingHooks } from "./training.ts";

/** Puts on record, and tells, what happens in a training. */
export class TrainingLog {
  readonly #method: string;
  readonly #progress: Progress;
  readonly #hooks: Pick<TrainingHooks, "folder" | "log">;
  /** Names of pictures that were told to be left out. */
  readonly #broken = new Set<string>();
  /** Phases whose memory was told. */
  readonly #measured = new Set<Phase>();

  constructor({ name }: Pick<Method, "name">, progress: Progress, hooks: Pick<TrainingHooks, "folder" | "log">) {
    this.#method = name;
    this.#progress = progress;
    this.#hooks = hooks;
  }

  /** Starts timing a phase; the returned function adds the seconds since it was last called to the phase and gives them. */
  clock(name: string): () => number {
    let start = performance.now();
    return () => {
      const now = performance.now();
      const seconds = (now - start) / 1000;
      start = now;
      const phase = this.#progress.phases.find((entry) => entry.name === name);
      if (phase) phase.seconds += seconds;
      else this.#progress.phases.push({ name, seconds });
      return seconds;
    };
  }

  /**
   * Puts a step on record.
   * @throws TrainingError when the loss is not a number
   */
  step({ name }: Phase, { stage, epoch, step }: Position, { loss, gradientNorm, figures }: StepReport): void {
    const where = `${name}, epoch ${epoch + 1}, step ${step + 1}`;
    if (!Number.isFinite(loss)) {
      throw new TrainingError(
        `the loss is ${loss} in ${where}; use smaller learning rates. The last checkpoint is intact`,
        `to see which operation gave the first such number: acutance train ${this.#method} --resume ${this.#hooks.folder} --check-numbers`,
      );
    }
    const finite = gradientNorm !== undefined && Number.isFinite(gradientNorm);
    if (gradientNorm !== undefined && !finite) this.#hooks.log?.(`skipped ${where}: its gradients are not finite`);
    this.#progress.losses.push({
      stage,
      epoch,
      step,
      loss,
      ...(finite && { gradientNorm }),
      ...(figures && { figures }),
    });
  }

  /** After the first step of a phase: what the memory is used for. */
  memory(phase: Phase, device: Device): void {
    if (this.#measured.has(phase)) return;
    this.#measured.add(phase);
    this.#hooks.log?.(`device memory by ${phase.name}, peak so far ${memorySummary(device.memoryReport())}`);
  }

  /** Names pictures of a batch that could not be read, each once. */
  leftOut({ errors }: Pick<LoadedBatch, "errors">): void {
    for (const { planned, error } of errors) {
      if (this.#broken.has(planned.name)) continue;
      this.#broken.add(planned.name);
      this.#hooks.log?.(`left out: ${planned.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

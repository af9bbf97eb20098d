import {
  constant,
  cosine,
  quarterCosine,
  type Schedule,
  stepDecay,
  timeDecay,
  withWarmup,
} from "../../engine/optim/schedule.ts";
import type { Phase } from "./method.ts";
import type { TrainingOptions } from "./options.ts";
import { TrainingError } from "./training.ts";

/**
 * What the learning rates of a phase are multiplied with at its steps, 0 being the first.
 * @throws TrainingError when the warm-up is not shorter than the phase
 */
export function phaseSchedule(
  options: TrainingOptions,
  { name, epochs, settings }: Pick<Phase, "name" | "epochs" | "settings">,
  stepsInEpoch: number,
): Schedule {
  const given = { ...options, ...settings };
  const { schedule, lastFactor, stepEpochs, stepFactor, warmupSteps, warmupShare } = given;
  const total = stepsInEpoch * epochs;
  if (total === 0) return constant();
  if (warmupSteps >= total)
    throw new TrainingError(`\`warmupSteps\` ${warmupSteps}: ${name} has only ${total} steps; give fewer`);
  return withWarmup(total, { steps: warmupSteps, share: warmupShare }, (steps) => {
    if (schedule === "cosine") return cosine({ steps });
    if (schedule === "quarter-cosine") return quarterCosine({ steps, end: lastFactor });
    if (schedule === "time") return timeDecay({ decay: given.timeDecay });
    return schedule === "step" ? stepDecay({ every: stepEpochs * stepsInEpoch, gamma: stepFactor }) : constant();
  });
}

import type { z } from "zod";
import type { Method, Phase } from "./method.ts";
import type { TrainingOptions } from "./options.ts";

/**
 * The options of one phase alone: those that only others read have their defaults, and the others have no epochs. Trainings with the same
 * ones do the same in this phase.
 * @param index its place among the phases of the method, from 0
 */
export function phaseOptions(method: Method, options: TrainingOptions, index: number): TrainingOptions {
  const phases = method.phases(options);
  const own = named(phases[index]!);
  const others = phases.filter((_, i) => i !== index);
  const defaults = [...new Set(others.flatMap((phase) => [...named(phase)]))]
    .filter((name) => !own.has(name))
    .map((name) => [name, (method.schema.shape[name] as z.ZodType).parse(undefined)]);
  const none = others.flatMap(({ epochsOption }) => (epochsOption ? [[epochsOption, 0]] : []));
  return method.options({ ...options, ...Object.fromEntries(defaults), ...Object.fromEntries(none) } as never);
}

function named({ epochsOption, batchOptions, options = [] }: Phase): ReadonlySet<string> {
  return new Set([...(epochsOption ? [epochsOption] : []), ...batchOptions, ...options]);
}

/** Whether a phase learns from unlabelled pictures. */
export const takesUnlabelled = ({ batch }: Pick<Phase, "batch">): boolean => batch.unlabelled > 0;

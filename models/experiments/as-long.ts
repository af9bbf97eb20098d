import { planEpoch } from "../training/batches.ts";
import type { Method, Phase } from "../training/method.ts";
import type { TrainingOptions } from "../training/options.ts";
import { takesUnlabelled } from "../training/phase-options.ts";
import type { TrainingData } from "../training/training.ts";
import { RecipeError } from "./recipe.ts";
import type { Settings } from "./settings.ts";

/** Pictures that an epoch of a training takes through the network, each view of one counted. */
export function picturesInEpoch({ phase, stage, options, data }: EpochOfData): number {
  return planEpoch({ ...phase, stage }, 0, data, options).flat().length;
}

/** What the batches of a training's epochs depend on. */
export interface EpochOfData {
  readonly phase: Phase;
  /** Place of the phase in the method, the first being 1. */
  readonly stage: number;
  readonly options: TrainingOptions;
  readonly data: TrainingData;
}

/**
 * Options by which the one phase of a variant takes as many pictures through the network as the trainings of another together, or a part
 * of an epoch more.
 * @param notes to which a sentence is added @throws RecipeError when the variant has not one phase
 */
export function lengthened(
  options: TrainingOptions,
  asLong: readonly EpochOfData[],
  of: { readonly settings: Settings; readonly method: Method; readonly data: TrainingData; readonly notes: string[] },
): TrainingOptions {
  const { asLongAs } = of.settings;
  const phases = [...of.method.phases(options).entries()].filter(
    ([, phase]) => phase.epochs > 0 && !(takesUnlabelled(phase) && of.data.unlabelled.length === 0),
  );
  const [found, ...others] = phases;
  const name = found?.[1].epochsOption;
  if (!found || others.length > 0 || name === undefined)
    throw new RecipeError(
      `asLongAs "${asLongAs}": it says how long one phase is, and this variant has ${phases.map(([, phase]) => phase.name).join(" and ") || "none"}; give the others no epochs`,
    );
  const [index, phase] = found;
  const wanted = asLong.reduce((sum, training) => sum + training.phase.epochs * picturesInEpoch(training), 0);
  const own = picturesInEpoch({ phase, stage: index + 1, options, data: of.data });
  const epochs = Math.ceil(wanted / own);
  of.notes.push(`${phase.name} has ${epochs} epochs, to be as long as "${asLongAs}"`);
  return of.method.options({ ...options, [name]: epochs } as never);
}

import type { RankedPicture } from "../data/index.ts";
import type { Inputs } from "../views/inputs.ts";
import { kindsIn, type PartViews } from "../views/view-kind.ts";
import { pairsInBatch } from "./batches.ts";
import type { Phase } from "./method.ts";
import type { TrainingOptions } from "./options.ts";
import { takesUnlabelled } from "./phase-options.ts";
import type { ProgressSink, TrainingData, TrainingHooks } from "./training.ts";

/**
 * Does what can be done once for all steps of all phases, such as the output of frozen sections.
 * @throws the signal's reason when it aborts; what is done by then stays
 */
export async function prepareInputs(
  inputs: Inputs,
  data: TrainingData,
  phases: readonly Phase[],
  options: TrainingOptions,
  { signal, progress }: Pick<TrainingHooks, "signal" | "progress">,
): Promise<void> {
  const { labelled, unlabelled, test, validation = [] } = data;
  const strong = (part: keyof PartViews) => phases.some(({ views }) => views?.[part]?.includes("strong"));
  const turned = phases.some(({ views }) => kindsIn(views).includes("turned"));
  let bar: ProgressSink | undefined;
  const started = (views: number) => {
    bar = progress?.("frozen sections", views);
    return { advance: (done: number) => bar?.advance(done) };
  };
  try {
    await inputs.prepare(
      {
        trained: [...labelled, ...(phases.some(takesUnlabelled) ? unlabelled : [])],
        strong: [...(strong("labelled") ? labelled : []), ...(strong("unlabelled") ? unlabelled : [])],
        turned: turned ? unlabelled : [],
        others: [...rankedPictures(data, options), ...validation, ...test],
      },
      { signal, progress: started },
    );
  } finally {
    bar?.stop();
  }
}

/** Ranked copies that training sees. */
export function rankedPictures({ ranked = [] }: TrainingData, options: TrainingOptions): readonly RankedPicture[] {
  return pairsInBatch(ranked, options) > 0 ? ranked.flatMap(({ pictures }) => pictures) : [];
}

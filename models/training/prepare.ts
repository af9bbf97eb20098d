import { meet, type Ranks } from "../../engine/ranks/ranks.ts";
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
 * @param ranks each of them does a part; the signal does not stop them then
 * @throws the signal's reason when it aborts; what is done by then stays
 */
export async function prepareInputs(
  inputs: Inputs,
  data: TrainingData,
  phases: readonly Phase[],
  options: TrainingOptions,
  hooks: Pick<TrainingHooks, "signal" | "progress">,
  ranks?: Ranks,
): Promise<void> {
  const { frozen } = options;
  const { signal: _, ...others } = hooks;
  if (ranks && frozen > 0) {
    // In a folder that all computers share nothing is left after the first pass, in others what ranks of other computers did.
    for (const { rank, size } of [ranks, ranks.local]) {
      const own: Part = (rows) => rows.filter((_, i) => i % size === rank);
      await prepared(inputs, data, phases, options, others, own);
      await meet(ranks);
    }
  }
  await prepared(inputs, data, phases, options, ranks ? others : hooks, (rows) => rows);
}

/** What of pictures this process prepares. */
type Part = <Row>(rows: readonly Row[]) => readonly Row[];

async function prepared(
  inputs: Inputs,
  data: TrainingData,
  phases: readonly Phase[],
  options: TrainingOptions,
  { signal, progress }: Pick<TrainingHooks, "signal" | "progress">,
  part: Part,
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
        trained: part([...labelled, ...(phases.some(takesUnlabelled) ? unlabelled : [])]),
        strong: part([...(strong("labelled") ? labelled : []), ...(strong("unlabelled") ? unlabelled : [])]),
        turned: part(turned ? unlabelled : []),
        others: part([...rankedPictures(data, options), ...validation, ...test]),
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

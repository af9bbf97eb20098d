import type { ModelCard } from "../networks/model.ts";
import { pairsInBatch } from "./batches.ts";
import type { Method, Phase } from "./method.ts";
import type { TrainingOptions } from "./options.ts";
import { ratedByPeople, type TrainingData } from "./training.ts";

/** A model's card with what a phase has taught it. */
export function cardAfter(
  { name, batch }: Pick<Phase, "name" | "batch">,
  { title }: Pick<Method, "title">,
  card: ModelCard<TrainingOptions>,
  data: TrainingData,
): ModelCard<TrainingOptions> {
  const { labelled, unlabelled, ranked = [] } = data;
  const { options } = card;
  const rated = ratedByPeople(labelled);
  const pseudo = rated.length < labelled.length ? `, ${labelled.length - rated.length} pseudo-labelled` : "";
  const used = batch.unlabelled > 0 ? `${pseudo}, ${unlabelled.length} unlabelled` : pseudo;
  const pairs = pairsInBatch(ranked, options) > 0 ? `, ${ranked.length} ranked sets of copies` : "";
  const split = data.split ? `, split ${data.split}` : "";
  const done = `${name === title ? title : `${title} ${name}`}: ${rated.length} labelled${used} pictures${pairs}${split}, training seed ${options.seed}`;
  return { ...card, method: title, history: [...card.history, done] };
}

import type { Inputs } from "./inputs.ts";
import type { CplModel, ModelCard } from "./model.ts";
import { predict, scoreOf } from "./predict.ts";
import type { Progress, RatedRow } from "./training.ts";

type Predictions = Progress["predictions"];

/** A test picture's predicted score and its MOS. */
export interface ScoredPair {
  readonly predicted: number;
  readonly mos: number;
}

/** Scores the test part with a model, and puts the scores beside those of the stage before. */
export async function testScores(
  model: CplModel,
  test: readonly RatedRow[],
  inputs: Inputs,
  options: {
    readonly card: ModelCard;
    /** Whether the scores are also those of stage 1. */
    readonly stageOne: boolean;
    readonly before: Predictions;
    readonly onScored: () => void;
  },
): Promise<{ predictions: Predictions; pairs: readonly ScoredPair[] }> {
  const { card, before } = options;
  const rows = new Map(before.map((row) => [row.name, row]));
  const pairs: ScoredPair[] = [];
  for await (const outcome of predict(model, test, inputs, card.options)) {
    options.onScored();
    if ("error" in outcome) continue;
    const { row, value } = outcome;
    const score = scoreOf(value, card.range);
    pairs.push({ predicted: score.score, mos: row.mos });
    const stageOne = options.stageOne ? score.score : rows.get(row.name)?.stageOne;
    rows.set(row.name, {
      name: row.name,
      path: row.path,
      mos: row.mos,
      ...(stageOne !== undefined && { stageOne }),
      ...score,
    });
  }
  return { predictions: [...rows.values()], pairs };
}

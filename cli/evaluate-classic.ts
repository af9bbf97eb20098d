import { stringify } from "csv-stringify/sync";
import type { RatedRow } from "../models/index.ts";
import { bootstrapInterval, evaluate, plcc, srcc } from "../models/metrics/index.ts";
import { type ChosenClassic, directionWords, openClassic } from "./classic-options.ts";
import type { DecodingOptions } from "./data-options.ts";
import { deviceSource } from "./device.ts";
import type { Output } from "./output.ts";
import { errorWords } from "./score-words.ts";
import { progress, table } from "./terminal.ts";

interface EvaluateClassicFlags extends ChosenClassic, DecodingOptions {
  readonly json?: boolean;
  readonly memory?: number;
  readonly checkNumbers?: boolean;
}

/** Compares the scores of a formula with the MOS of pictures; where lower is better, those of the score with its sign turned. */
export async function evaluateClassic(
  flags: EvaluateClassicFlags,
  rows: readonly RatedRow[],
  predictions: Output | undefined,
): Promise<void> {
  await using scorer = await openClassic(flags, deviceSource(flags));
  const bar = progress("scoring", rows.length);
  const byPath = new Map(rows.map((row) => [row.path, row]));
  const scored: { name: string; mos: number; score: number }[] = [];
  for await (const result of scorer.scoreMany(byPath.keys())) {
    bar.advance();
    const { name, mos } = byPath.get(result.picture)!;
    if ("error" in result) console.error(`left out: ${name}: ${errorWords(result.error)}`);
    else scored.push({ name, mos, score: result.score });
  }
  bar.stop();
  const { lowerIsBetter, range } = scorer.scale;
  const quality = scored.map(({ score }) => (lowerIsBetter ? -score : score));
  const mos = scored.map((row) => row.mos);
  // RMSE, MAE and slope of the raw scores compare different scales.
  const { rmse: _, mae: __, slope: ___, ...result } = evaluate(quality, mos);
  const intervals = { srcc: bootstrapInterval(quality, mos, srcc), plcc: bootstrapInterval(quality, mos, plcc) };
  predictions?.replace(stringify(scored, { header: true, columns: ["name", "mos", "score"] }));
  const direction = directionWords(scorer.scale);
  if (flags.json) {
    console.log(JSON.stringify({ method: scorer.name, range, direction, ...result, intervals }, null, 2));
    return;
  }
  const { n, plccFitted, rmseFitted, krcc } = result;
  const numbers = [result.srcc, krcc, result.plcc, plccFitted].map((value) => value.toFixed(3));
  const headings = ["method", "n", "SRCC", "KRCC", "PLCC", "PLCC fitted", "RMSE fitted"];
  console.log(table(headings, [[scorer.name, n, ...numbers, rmseFitted.toFixed(2)]]));
  for (const [name, interval] of Object.entries(intervals)) {
    if (!interval) continue;
    const [low, high] = [interval.low, interval.high].map((end) => end.toFixed(3));
    console.log(`${name.toUpperCase()}: 95 % interval ${low} to ${high} (bootstrap over the pictures, 2,000 draws)`);
  }
  if (lowerIsBetter) console.log(`${direction}: correlations are those of −score`);
}

/**
 * Gives a model file the scores of known pictures as its reference, which percentiles are told by.
 * Run: bun test/bench/card/reference.ts MODEL SCORES.csv WORDS OUT, where SCORES.csv is what `acutance score --csv` wrote and WORDS say
 * of which pictures.
 */
import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { writeCompanions } from "../../../models/networks/companions.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { referenceOf } from "../../../models/trust/reference.ts";

const [model, csv, words, out] = process.argv.slice(2);
if (!model || !csv || !words || !out)
  throw new Error("give the model, the scores, words for the pictures, and the file to write");
const rows = parse(readFileSync(csv), { columns: true }) as Readonly<Record<string, string>>[];
const scores = rows.filter(({ error }) => !error).map(({ score }) => Number(score));
const scorer = await openScorer({ model });
const facts = referenceOf(scores, words);
await writeCompanions(model, out, { ...scorer.companions, reference: { facts, tensors: {} } });
await scorer.close();
console.log(
  `${scores.length} scores, from ${facts.quantiles[0]} over ${facts.quantiles[50]} to ${facts.quantiles.at(-1)}`,
);

import type { Command } from "commander";
import { stringify } from "csv-stringify/sync";
import { ratedRows } from "../models/data/index.ts";
import type { Score } from "../models/labels/score.ts";
import { bootstrapInterval, evaluate, plcc, srcc } from "../models/metrics/index.ts";
import { openScorer } from "../models/scoring/scorer.ts";
import { classResult } from "../models/training/class-results.ts";
import { labelMos } from "../models/training/classes.ts";
import type { Trusted } from "../models/trust/companion.ts";
import { coverageOf } from "../models/trust/coverage.ts";
import { percent } from "../models/trust/interval.ts";
import { addClassicOptions, type ChosenClassic, type ClassicFlags, classicOf } from "./classic-options.ts";
import {
  addDataOptions,
  addDecodingOptions,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  namesData,
  openDataset,
  tilesOption,
} from "./data-options.ts";
import { checkNumbersOption, deviceSource, memoryOption } from "./device.ts";
import { evaluateClassic } from "./evaluate-classic.ts";
import { modelOption, modelWords } from "./model-option.ts";
import { outputFile } from "./output.ts";
import { scoreColumns, scoreIn, trustCells, trustColumns } from "./score-words.ts";
import { expectOwnSplit, partNames } from "./split-part.ts";
import { progress } from "./terminal.ts";
import { printClasses, resultTable } from "./training-results.ts";
import { printCoverage } from "./trust-figures.ts";

interface EvaluateFlags extends DataOptions, DecodingOptions, ClassicFlags {
  readonly model: string;
  readonly split?: string;
  readonly part: string;
  readonly anySplit?: boolean;
  readonly json?: boolean;
  readonly predictions?: string;
  readonly memory?: number;
  readonly tiles?: number;
  readonly checkNumbers?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command("evaluate")
    .description("compare a model's scores with the MOS of a data set")
    .addOption(modelOption());
  addDecodingOptions(addDataOptions(addClassicOptions(command)))
    .option("--split <file>", "split.csv of a training run: evaluate on one part of it")
    .option("--any-split", "go on with a split that is not the model's")
    .option("--part <name>", "the part, with --split: labelled, unlabelled, validation or test", "test")
    .option("--json", "print one JSON document")
    .option("--predictions <file>", "write name, MOS, score and uncertainty of every picture as CSV")
    .option(...tilesOption)
    .option(...checkNumbersOption)
    .option(...memoryOption)
    .action(async (flags: EvaluateFlags) => {
      if (!namesData(flags)) {
        command.error("error: --data and --csv are needed (or --data and --dataset)", { exitCode: 2 });
      }
      await run(flags, classicOf(flags, command));
    });
}

async function run(flags: EvaluateFlags, classic: ChosenClassic | undefined): Promise<void> {
  const predictions = flags.predictions === undefined ? undefined : outputFile(flags.predictions, "--predictions");
  const dataset = await openDataset(flags, false);
  const chosen = flags.split ? await partNames(flags.split, flags.part) : undefined;
  const rated = ratedRows(dataset.rows);
  const rows = rated.filter(({ name }) => chosen?.names.has(name) ?? true);
  if (chosen && rows.length < chosen.names.size) {
    const known = new Set(rows.map(({ name }) => name));
    const without = [...chosen.names].filter((name) => !known.has(name));
    const some = `${without.slice(0, 5).join(", ")}${without.length > 5 ? ` and ${without.length - 5} more` : ""}`;
    console.error(
      `note: ${without.length} of the ${chosen.names.size} pictures of the part "${flags.part}" are not among the rated ones: ${some}`,
    );
  }
  if (rows.length < 3) throw new Error(`only ${rows.length} rated pictures to evaluate on; at least 3 are needed`);
  if (classic) {
    await evaluateClassic({ ...flags, ...classic }, rows, predictions);
    return;
  }
  await using scorer = await openScorer({
    model: flags.model,
    device: deviceSource(flags),
    ...decodingOf(flags),
    onNote: (note) => console.error(`note: ${note}`),
    ...(flags.tiles !== undefined && { tiles: flags.tiles }),
  });
  if (chosen) expectOwnSplit(flags, scorer.card.run, chosen.run);
  const bar = progress("scoring", rows.length);
  const mos = new Map(rows.map((row) => [row.path, row]));
  const { card } = scorer;
  const scored: ({ name: string; mos: number } & Score & Trusted)[] = [];
  /** MOS of the classes, which a model may have learnt of more than the MOS. */
  const classMos: number[] = [];
  for await (const result of scorer.scoreMany(mos.keys())) {
    bar.advance();
    const row = mos.get(result.picture)!;
    if ("error" in result) console.error(`left out: ${row.name}: ${result.error.message}`);
    else {
      scored.push({ name: row.name, mos: row.mos, ...scoreIn(result) });
      classMos.push(labelMos(row, card));
    }
  }
  bar.stop();
  const [predicted, truth] = [scored.map(({ score }) => score), scored.map((row) => row.mos)];
  const result = evaluate(predicted, truth);
  const classes = classResult(
    "the model",
    scored.flatMap(({ class: own, score }, i) => (own === undefined ? [] : { class: own, score, mos: classMos[i]! })),
    {
      classes: card.options.levels,
      edges: card.options.classEdges,
      range: card.range,
      labelled: rated.flatMap((row) => (chosen?.parts.get(row.name) === "labelled" ? labelMos(row, card) : [])),
    },
  );
  const coverage = coverageOf(scored, card.range);
  const intervals = {
    srcc: bootstrapInterval(predicted, truth, srcc),
    plcc: bootstrapInterval(predicted, truth, plcc),
  };
  const columns = ["name", "mos", ...scoreColumns(card.options), ...trustColumns(scorer.companions.trust)];
  if (predictions) {
    const rows = scored.map((row) => ({ ...row, ...trustCells(row) }));
    predictions.replace(stringify(rows, { header: true, columns }));
  }
  if (flags.json)
    console.log(
      JSON.stringify(
        {
          ...{ model: modelWords(flags.model), range: card.range, ...result, intervals },
          ...(coverage && { coverage }),
          ...(classes && { classes }),
        },
        null,
        2,
      ),
    );
  else {
    console.log(resultTable([{ name: flags.split ? flags.part : "all", evaluation: result }]));
    for (const [name, interval] of Object.entries(intervals)) {
      if (!interval) continue;
      const [low, high] = [interval.low, interval.high].map((end) => end.toFixed(3));
      console.log(`${name.toUpperCase()}: 95 % interval ${low} to ${high} (bootstrap over the pictures, 2,000 draws)`);
    }
    if (coverage) printCoverage(coverage, percent(scored[0]!.interval!.level));
    if (classes) printClasses([classes]);
    // Observed ends are no scale that could differ.
    if (dataset.rangeSource === "nominal" && dataset.range!.join() !== scorer.card.range.join()) {
      console.log(
        `note: the model scores on [${scorer.card.range}], the data set is on [${dataset.range}]: RMSE, MAE and slope${classes ? ", and classes," : ""} compare different scales`,
      );
    }
  }
}

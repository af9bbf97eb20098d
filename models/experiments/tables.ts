import { stringify } from "csv-stringify/sync";
import { classCaption, classCells, classSentences } from "../report/experiment/class-cells.ts";
import {
  type ExperimentRecord,
  type ExperimentVariant,
  type MeanWithError,
  type Measure,
  measureNames,
  type PartSummary,
  type Spread,
} from "../report/experiment/experiment-record.ts";
import { digitsOf } from "../report/experiment/experiment-values.ts";
import { knowsNetworks, networkCaption, networkCells } from "../report/experiment/network-cells.ts";
import { duration } from "../report/report-parts.ts";

/** Of differences of correlations. */
const correlationDigits = 3;
const shown = ["srcc", "plcc", "rmse"] as const;

type Ranges = ExperimentRecord["ranges"];

/**
 * The tables of an experiment as Markdown: what each variant scored over the repeats on the test part, its difference to
 * the first variant, further parts, and how models were selected.
 */
export function markdownTable(record: ExperimentRecord): string {
  const { title, description, variants, selection, baseline, repeats, range, ranges, notes, parts } = record;
  const others = parts.filter((part) => part !== "test");
  const compared = variants.length > 1;
  const headers = [
    ...["variant", "runs", "SRCC median", "SRCC", "PLCC median", "PLCC", "RMSE median", "RMSE"],
    ...(compared ? ["Δ SRCC", "Δ PLCC"] : []),
    ...others.flatMap((part) => [`${part} SRCC`, `${part} PLCC`, `${part} RMSE`]),
    "time of a run",
  ];
  const rows = variants.map((variant) => rowOf(variant, { others, compared, ranges, chosen: selection.chosen }));
  const named = repeats.map(({ split, training }) => (split === training ? split : `${split}/${training}`));
  const seeds = [...new Set(named)];
  const many = seeds.length === 1 ? "" : "s";
  const folds = repeats[0]?.folds ? `, each of ${repeats[0].folds} folds` : "";
  const lines = [
    `## ${title}`,
    ...(description ? [description.trim()] : []),
    markdownRows(headers, rows),
    `Test part, mean ± standard deviation (lowest to highest) over ${repeats.length} repeat${repeats.length === 1 ? "" : "s"} (seed${many} ${seeds.join(", ")}${folds}); MOS from ${range[0]} to ${range[1]}.` +
      (compared ? ` Δ: minus ${baseline}, repeat by repeat, mean ± standard deviation.` : "") +
      (others.length > 0 ? ` Columns of ${others.join(", ")}: medians.` : ""),
    selection.sentence,
    ...networks(record),
    ...(record.classTables ?? []).flatMap((table) => {
      const { headers, cells } = classCells(table, record);
      return [
        "### Classes of the test part",
        markdownRows(
          headers,
          cells.map((row) => row.map(inCell)),
        ),
        classCaption(table, record),
        classSentences(table)
          .map((sentence) => `- ${sentence}`)
          .join("\n"),
      ];
    }),
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join("\n")] : []),
  ];
  return `${lines.join("\n\n")}\n`;
}

/** What networks reach and cost, where that was asked for. */
function networks(record: ExperimentRecord): string[] {
  if (!knowsNetworks(record)) return [];
  const { headers, cells } = networkCells(record);
  return [
    "### Networks",
    markdownRows(
      headers,
      cells.map((row) => row.map(inCell)),
    ),
    networkCaption,
  ];
}

function markdownRows(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headers, headers.map((_, i) => (i === 0 ? "---" : "---:")), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function rowOf(
  { name, runs, summary, seconds }: ExperimentVariant,
  {
    others,
    compared,
    ranges,
    chosen,
  }: { others: readonly string[]; compared: boolean; ranges: Ranges; chosen: string | undefined },
): string[] {
  const test = summary.find(({ part }) => part === "test")!;
  const finished = runs.filter(({ status }) => status === "finished").length;
  const differences = test.difference ? [test.difference.srcc, test.difference.plcc].map(difference) : ["", ""];
  return [
    inCell(name) + (name === chosen ? " *" : ""),
    finished === runs.length ? String(finished) : `${finished} of ${runs.length}`,
    ...shown.flatMap((measure) => {
      const digits = digitsOf(measure, ranges["test"]!);
      return [number(test.measures[measure].median, digits), meanAndRange(test.measures[measure], digits)];
    }),
    ...(compared ? differences : []),
    ...others.flatMap((part) => medians(part, summary, ranges)),
    seconds.mean === null ? "-" : duration(seconds.mean),
  ];
}

const inCell = (text: string) => text.replaceAll("|", "\\|");

function medians(part: string, summary: readonly PartSummary[], ranges: Ranges): string[] {
  const found = summary.find((each) => each.part === part);
  return shown.map((measure) => number(found?.measures[measure].median ?? null, digitsOf(measure, ranges[part]!)));
}

function meanAndRange({ n, mean, sd, min, max }: Spread, digits: number): string {
  if (n === 0) return "-";
  if (n === 1) return number(mean, digits);
  return `${number(mean, digits)} ± ${number(sd, digits)} (${number(min, digits)} to ${number(max, digits)})`;
}

function difference({ n, mean, sd }: Spread): string {
  if (n === 0) return "-";
  const signed = `${mean! < 0 ? "" : "+"}${mean!.toFixed(correlationDigits)}`;
  return sd === null ? signed : `${signed} ± ${number(sd, correlationDigits)}`;
}

function number(value: Measure, digits: number): string {
  return value === null ? "-" : value.toFixed(digits);
}

const statistics = ["median", "mean", "sd", "min", "max"] as const;

/** One line for each variant and part, with every measure and every statistic in a column of its own; full precision. */
export function csvTable({ variants, selection }: ExperimentRecord): string {
  const rows = variants.flatMap(({ name, changes, summary, seconds, network, chosenByTest }) =>
    summary.map(({ part, measures, difference: against }) => ({
      variant: name,
      changes: JSON.stringify(changes),
      part,
      runs: measures.srcc.n,
      chosen_on_validation: name === selection.chosen ? 1 : 0,
      ...Object.fromEntries(
        measureNames.flatMap((measure) => [
          ...statistics.map((each) => [`${measure}_${each}`, measures[measure][each] ?? ""]),
          [`${measure}_difference_mean`, against?.[measure].mean ?? ""],
          [`${measure}_difference_sd`, against?.[measure].sd ?? ""],
        ]),
      ),
      seconds_mean: seconds.mean ?? "",
      ...(network && { parameters: network.parameters, pictures_per_second: network.picturesPerSecond }),
      ...(chosenByTest && part === "test" && { srcc_gain_by_test_mean: chosenByTest.mean ?? "" }),
    })),
  );
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return stringify(rows, { header: true, columns });
}

/** One line for each variant that tells classes, and for each constant predictor; full precision. Empty where none does. */
export function csvClasses({ classTables = [] }: ExperimentRecord): string {
  const mean = (name: string, { mean, standardError }: MeanWithError) => ({
    [name]: mean ?? "",
    [`${name}_error`]: standardError ?? "",
  });
  const rows = classTables.flatMap(({ classes, rows }) =>
    rows.map((row) => ({
      variant: row.name,
      constant: row.constant ?? "",
      classes,
      runs: row.maes.filter((mae) => mae !== null).length,
      pictures: row.pooled.n,
      ...mean("mae", row.pooled),
      difference: row.difference?.mean ?? "",
      difference_low: row.difference?.low ?? "",
      difference_high: row.difference?.high ?? "",
      difference_over: row.difference?.over ?? "",
      ...mean("mae_of_runs", row.mae),
      ...mean("accuracy", row.measures.accuracy),
      ...mean("macro_f1", row.measures.macroF1),
      ...mean("quadratic_kappa", row.measures.quadraticKappa),
      ...mean("mae_highest_two", row.maeOfHighestTwo),
      ...Object.assign({}, ...row.maeByClass.map((own, c) => mean(`mae_class_${c}`, own))),
    })),
  );
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return rows.length === 0 ? "" : stringify(rows, { header: true, columns });
}

/** One line for each run, stage and part; a run without results has one line that says why. */
export function csvRuns({ variants }: ExperimentRecord): string {
  const rows = variants.flatMap(({ name, runs }) =>
    runs.flatMap(({ repeat, status, error = "", results, parts, trainings }) => {
      const run = {
        variant: name,
        split_seed: repeat.split,
        training_seed: repeat.training,
        fold: repeat.fold ?? "",
        status,
        error,
      };
      const sizes = { labelled: parts.labelled, ranked: parts.ranked ?? 0, unlabelled: parts.unlabelled };
      const seconds = trainings.reduce((sum, training) => sum + training.seconds, 0);
      const line = (part: string, stage: number | "", n: number | "", measures: Record<string, unknown>) => ({
        ...{ ...run, ...sizes, part, stage, n },
        ...Object.fromEntries(measureNames.map((measure) => [measure, measures[measure] ?? ""])),
        seconds,
      });
      if (results.length === 0) return [line("", "", "", {})];
      return results.map(({ part, stage, n, ...measures }) => line(part, stage, n, measures));
    }),
  );
  return stringify(rows, { header: true });
}

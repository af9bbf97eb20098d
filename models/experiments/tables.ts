import { stringify } from "csv-stringify/sync";
import {
  type ExperimentRecord,
  type ExperimentVariant,
  type Measure,
  measureNames,
  type PartSummary,
  type Spread,
} from "../report/experiment-record.ts";

/** Digits after the point: correlations have three, errors are in MOS units of whatever scale. */
const correlationDigits = 3;
const errorDigits = 2;

/**
 * The tables of an experiment as Markdown: what each variant scored over the repeats on the test part, its difference to
 * the first variant, further parts, and how models were selected.
 */
export function markdownTable(record: ExperimentRecord): string {
  const { title, description, variants, selection, baseline, repeats, range, notes, parts } = record;
  const others = parts.filter((part) => part !== "test");
  const compared = variants.length > 1;
  const headers = [
    ...["variant", "runs", "SRCC median", "SRCC", "PLCC median", "PLCC", "RMSE median", "RMSE"],
    ...(compared ? ["Δ SRCC", "Δ PLCC"] : []),
    ...others.flatMap((part) => [`${part} SRCC`, `${part} PLCC`, `${part} RMSE`]),
    "time of a run",
  ];
  const rows = variants.map((variant) => rowOf(variant, { others, compared, chosen: selection.chosen }));
  const seeds = repeats.map(({ split, training }) => (split === training ? split : `${split}/${training}`)).join(", ");
  const lines = [
    `## ${title}`,
    ...(description ? [description.trim()] : []),
    [headers, headers.map((_, i) => (i === 0 ? "---" : "---:")), ...rows]
      .map((cells) => `| ${cells.join(" | ")} |`)
      .join("\n"),
    `Test part, mean ± standard deviation (lowest to highest) over ${repeats.length} repeats (seeds ${seeds}); MOS from ${range[0]} to ${range[1]}.` +
      (compared ? ` Δ: minus ${baseline}, repeat by repeat, mean ± standard deviation.` : "") +
      (others.length > 0 ? ` Columns of ${others.join(", ")}: medians.` : ""),
    selection.sentence,
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join("\n")] : []),
  ];
  return `${lines.join("\n\n")}\n`;
}

function rowOf(
  { name, runs, summary, seconds }: ExperimentVariant,
  { others, compared, chosen }: { others: readonly string[]; compared: boolean; chosen: string | undefined },
): string[] {
  const test = summary.find(({ part }) => part === "test")!;
  const finished = runs.filter(({ status }) => status === "finished").length;
  const differences = test.difference ? [test.difference.srcc, test.difference.plcc].map(difference) : ["", ""];
  return [
    name.replaceAll("|", "\\|") + (name === chosen ? " *" : ""),
    finished === runs.length ? String(finished) : `${finished} of ${runs.length}`,
    ...(["srcc", "plcc", "rmse"] as const).flatMap((measure) => {
      const digits = measure === "rmse" ? errorDigits : correlationDigits;
      return [number(test.measures[measure].median, digits), meanAndRange(test.measures[measure], digits)];
    }),
    ...(compared ? differences : []),
    ...others.flatMap((part) => medians(summary.find((each) => each.part === part))),
    seconds.mean === null ? "-" : duration(seconds.mean),
  ];
}

function medians(summary: PartSummary | undefined): string[] {
  return (["srcc", "plcc", "rmse"] as const).map((measure) =>
    number(summary?.measures[measure].median ?? null, measure === "rmse" ? errorDigits : correlationDigits),
  );
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

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${pad(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

function pad(value: number): string {
  return String(Math.floor(value)).padStart(2, "0");
}

const statistics = ["median", "mean", "sd", "min", "max"] as const;

/** One line for each variant and part, with every measure and every statistic in a column of its own; full precision. */
export function csvTable({ variants, selection }: ExperimentRecord): string {
  const rows = variants.flatMap(({ name, changes, summary, seconds }) =>
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
    })),
  );
  return stringify(rows, { header: true });
}

/** One line for each run, stage and part; a run without results has one line that says why. */
export function csvRuns({ variants }: ExperimentRecord): string {
  const rows = variants.flatMap(({ name, runs }) =>
    runs.flatMap(({ repeat, status, error = "", results, parts, trainings }) => {
      const run = { variant: name, split_seed: repeat.split, training_seed: repeat.training, status, error };
      const sizes = { labelled: parts.labelled, unlabelled: parts.unlabelled };
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

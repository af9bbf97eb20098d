import type {
  ExperimentRecord,
  ExperimentRun,
  ExperimentVariant,
  PartSummary,
} from "../report/experiment/experiment-record.ts";
import type { RunRecord } from "../training/run-record.ts";
import { classCount, classedPictures, classTables } from "./class-summary.ts";
import type { Variant } from "./expand.ts";
import { formulaTitle } from "./formulas.ts";
import { type Plan, type PlannedRun, partSizes, splitName } from "./plan.ts";
import type { Experiment, RunOutcome } from "./runner.ts";
import { spread, summarise } from "./summary.ts";
import { folderOf } from "./train-planned.ts";

/** What the caller knows of a record beside the experiment itself. */
export interface RecordHead {
  readonly command: string;
  readonly hardware: RunRecord["hardware"];
}

/** Everything an experiment has found so far, from its store. */
export function recordOf(
  experiment: Pick<
    Experiment,
    "plan" | "store" | "crossResults" | "isDone" | "network" | "formulas" | "formulaRuns" | "formulaFigures"
  >,
  outcomes: ReadonlyMap<PlannedRun, RunOutcome>,
  { command, hardware }: RecordHead,
): ExperimentRecord {
  const { plan, store } = experiment;
  const { recipe, sources, repeats } = plan;
  const { name, title, description } = recipe;
  const runsOf = plan.variants.map((variant) => {
    const planned = plan.runs.filter((run) => run.variant === variant);
    return {
      variant,
      runs: planned.map((run) => {
        const outcome = outcomes.get(run) ?? withoutThisCall(experiment, run);
        return recordOfRun(run, outcome, store, experiment.crossResults(run));
      }),
      classes: classCount(variant.settings),
    };
  });
  const formulas = formulaRows(experiment);
  const parts = partsOf(
    runsOf.flatMap(({ runs }) => runs),
    [...sources.crossData.keys()],
  );
  const trained = runsOf.map(({ variant, runs }, i): ExperimentVariant => {
    const seconds = runs.map((run) =>
      run.status === "finished" ? run.trainings.reduce((sum, each) => sum + each.seconds, 0) : null,
    );
    return {
      name: variant.name,
      changes: variant.changes,
      settings: variant.settings,
      runs: withOneExample(runs),
      summary: summarise(runs, parts, i === 0 ? undefined : runsOf[0]!.runs),
      seconds: spread(seconds),
      ...networkOf(experiment, variant),
      ...chosenByTest(runs),
    };
  });
  const untrained = formulas.map(
    (row): ExperimentVariant => ({
      ...row,
      summary: summarise(row.runs, parts, runsOf[0]!.runs),
      seconds: spread([]),
    }),
  );
  const variants = [...trained, ...untrained];
  const { range } = sources;
  const classed = runsOf.map(({ variant: { name, settings }, classes, runs }) => ({
    ...{ name, classes },
    runs: runs.map(({ predictions }) => predictions && classedPictures(predictions, settings, range)),
  }));
  const baseline = plan.variants[0]!.name;
  const tables = classTables(classed, baseline);
  return {
    schema: 1,
    name,
    title,
    ...(description && { description }),
    command,
    date: new Date().toISOString(),
    hardware,
    recipe: recipe as unknown as Record<string, unknown>,
    range: [...range],
    repeats,
    parts,
    ranges: Object.fromEntries(parts.map((part) => [part, [...(sources.crossData.get(part)?.range ?? sources.range)]])),
    ...{ baseline, variants },
    ...(tables.length > 0 && { classTables: tables }),
    selection: selectionOf(trained),
    notes: [...sources.notes, ...notesOf(plan), ...failuresOf(variants)],
  };
}

/** The rows of formulas: nothing of them is trained, the test parts are those of the first variant. */
function formulaRows(
  experiment: Pick<Experiment, "formulas" | "formulaRuns" | "formulaFigures">,
): Pick<ExperimentVariant, "name" | "changes" | "settings" | "runs" | "network">[] {
  return experiment.formulas.map((formula) => {
    const network = experiment.formulaFigures(formula);
    const said = { formula: formula.method };
    return {
      name: formulaTitle(formula),
      ...{ changes: said, settings: said },
      ...(network && { network }),
      runs: experiment.formulaRuns(formula).map(({ run, results, error }): ExperimentRun => {
        const status = results.length > 0 ? "finished" : error === undefined ? "missing" : "failed";
        return {
          repeat: run.repeat,
          status,
          ...(error !== undefined && status === "failed" && { error }),
          ...{ trainings: [], results, phases: [], losses: [], refreshes: [], notes: [] },
          parts: { ...partSizes(run), labelled: 0, unlabelled: 0 },
        };
      }),
    };
  });
}

function networkOf(experiment: Pick<Experiment, "network">, variant: Variant): Pick<ExperimentVariant, "network"> {
  const network = experiment.network(variant);
  return network ? { network } : {};
}

/** What choosing the epoch by the test part would have added, where that was looked at. */
function chosenByTest(runs: readonly ExperimentRun[]): Pick<ExperimentVariant, "chosenByTest"> {
  const gains = runs.flatMap(({ epochTests = [] }) => {
    const srccs = epochTests.map(({ srcc }) => srcc).filter(Number.isFinite);
    return srccs.length > 0 ? [Math.max(...srccs) - srccs.at(-1)!] : [];
  });
  return gains.length > 0 ? { chosenByTest: spread(gains) } : {};
}

/** Of a run that this call did not come to: another may have finished it. */
function withoutThisCall(experiment: Pick<Experiment, "isDone">, run: PlannedRun): RunOutcome {
  const cached = new Set(run.trainings.map(({ key }) => key));
  return { status: experiment.isDone(run) ? "finished" : "missing", cached };
}

function recordOfRun(
  run: PlannedRun,
  { status, error, cached }: RunOutcome,
  store: Experiment["store"],
  cross: ExperimentRun["results"],
): ExperimentRun {
  const { repeat, notes } = run;
  const stored = run.trainings.map(({ key, stage }) => ({ key, stage, found: store.training(key) }));
  const finished = stored.filter(({ found }) => found?.status === "finished");
  const progress = finished.map(({ key }) => store.progress(key));
  const first = finished[0]?.stage === 1 ? progress[0] : undefined;
  const stageOne = new Map(first?.predictions.map(({ name, score }) => [name, score]));
  const last = progress.at(-1);
  const complete = finished.length === stored.length;
  return {
    repeat,
    status,
    ...(error && { error }),
    trainings: finished.map(({ key, stage, found }) => ({
      ...{ key, stage, folder: folderOf(key), seconds: found!.seconds },
      cached: cached.has(key),
    })),
    parts: partSizes(run),
    results: [...finished.flatMap(({ key }) => store.results(key)), ...(complete ? cross : [])],
    phases: addedUp(progress.flatMap(({ phases }) => phases)),
    losses: progress.flatMap(({ losses }) => losses),
    refreshes: progress.flatMap(({ refreshes }) => refreshes),
    ...(complete && last?.epochTests?.length && { epochTests: last.epochTests }),
    ...(complete && {
      ...(last!.reliability?.length && { reliability: last!.reliability.at(-1) }),
      ...(last!.distributions?.length && { distributions: last!.distributions }),
      predictions: last!.predictions.map((row) => ({ ...row, ...stageOneOf(stageOne.get(row.name)) })),
      pseudoLabels: last!.pseudoLabels,
    }),
    notes: [...notes, ...(last?.notes ?? [])],
  };
}

function stageOneOf(score: number | undefined) {
  return score === undefined ? {} : { stageOne: score };
}

/** Phases of the same name made one. */
function addedUp(phases: RunRecord["phases"]): RunRecord["phases"] {
  const seconds = new Map<string, number>();
  for (const phase of phases) seconds.set(phase.name, (seconds.get(phase.name) ?? 0) + phase.seconds);
  return [...seconds].map(([name, sum]) => ({ name, seconds: sum }));
}

/** Pictures one by one are kept for the first finished repeat of a variant; the database has them all. */
function withOneExample(runs: readonly ExperimentRun[]): ExperimentRun[] {
  const example = runs.find(({ status }) => status === "finished");
  return runs.map((run) => {
    if (run === example) return run;
    const { predictions: _, pseudoLabels: __, ...rest } = run;
    return rest;
  });
}

/** Parts that there are results of, in the order test, validation, further data sets. */
function partsOf(runs: readonly ExperimentRun[], further: readonly string[]): string[] {
  const found = new Set(runs.flatMap(({ results }) => results.map(({ part }) => part)));
  return ["test", "validation", ...further].filter((part) => part === "test" || found.has(part));
}

function selectionOf(variants: readonly ExperimentVariant[]): ExperimentRecord["selection"] {
  const models = "Models are those after the last epoch; nothing was selected on the test part.";
  const median = ({ summary }: { summary: readonly PartSummary[] }) =>
    summary.find(({ part }) => part === "validation")?.measures.srcc.median ?? null;
  const scored = (variant: ExperimentVariant) =>
    variant.summary.find(({ part }) => part === "validation")?.measures.srcc.n ?? 0;
  // A median over fewer repeats than others have is no rival to theirs.
  const most = Math.max(...variants.map(scored));
  const ranked = variants
    .filter((variant) => scored(variant) === most && median(variant) !== null)
    .toSorted((a, b) => median(b)! - median(a)!);
  const [best] = ranked;
  if (!best) return { sentence: models };
  const equal = ranked.filter((variant) => median(variant) === median(best)).length;
  const tie = equal > 1 ? ` (${equal} rows have it; this is the first)` : "";
  return {
    sentence: `${models} The row with the highest median SRCC on validation (${median(best)!.toFixed(3)}) is marked with *: ${best.name}${tie}.`,
    chosen: best.name,
  };
}

/** What was noted when the runs were planned, once for all variants that it is true of. */
function notesOf({ runs, variants }: Plan): string[] {
  const found = new Map<string, Set<string>>();
  for (const { variant, repeat, notes } of runs) {
    for (const note of notes) {
      const text = `${splitName(repeat)}: ${note}`;
      found.set(text, (found.get(text) ?? new Set()).add(variant.name));
    }
  }
  return [...found].map(([text, names]) =>
    names.size === variants.length ? text : `${[...names].join(", ")}, ${text}`,
  );
}

function failuresOf(variants: readonly ExperimentVariant[]): string[] {
  return variants.flatMap(({ name, runs }) =>
    runs.flatMap(({ repeat, status, error }) =>
      status === "failed" ? [`failed: ${name}, ${splitName(repeat)}, training ${repeat.training}: ${error}`] : [],
    ),
  );
}

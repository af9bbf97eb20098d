import { fitCurve } from "../metrics/index.ts";
import type { RunRecord } from "../training/run-record.ts";
import { bars, histogram, lines, type Point, scatter } from "./chart.ts";
import type { Block, Section } from "./page.ts";
import {
  axisEnds,
  capital,
  decimals,
  drawn,
  mostPoints,
  movingMean,
  numberOf,
  phaseName,
  pictureCount,
  resultName,
  thinned,
} from "./report-parts.ts";

type Prediction = RunRecord["predictions"][number];

/** Steps from which single losses are noise around a mean. */
const manySteps = 60;

/** The course of the loss, and what the stages reached. */
export function training(record: RunRecord): Section {
  const stages = [...new Set(record.losses.map(({ stage }) => stage))].sort((a, b) => a - b);
  const courses = stages.flatMap((stage) => [...phaseLoss(record, stage), ...testCourse(record, stage)]);
  return { title: "Training", blocks: [...courses, ...reached(record)] };
}

/** Agreement with the test part after each epoch of a phase, where it was looked at. */
function testCourse(record: RunRecord, stage: number): Block[] {
  const tests = (record.epochTests ?? []).filter((test) => test.stage === stage);
  if (tests.length < 2) return [];
  const curve = (name: string, of: (test: (typeof tests)[number]) => unknown) => ({
    name,
    points: tests
      .map((test): Point => [numberOf(test.epoch) + 1, numberOf(of(test))])
      .filter((point) => point.every(Number.isFinite)),
  });
  const series = [curve("SRCC", ({ srcc }) => srcc), curve("PLCC", ({ plcc }) => plcc)];
  const svg = lines({
    description: `SRCC and PLCC on the test part after each epoch of ${phaseName(record, stage)}.`,
    x: { label: "epoch", whole: true },
    y: { label: "SRCC, PLCC" },
    series,
    height: 300,
  });
  const caption = `Test part after each epoch of ${phaseName(record, stage)}. Nothing is chosen by it: the model is that of the last epoch.`;
  return [{ kind: "figure", svg, caption }];
}

/** The loss of a phase by step, then every figure that its steps report. */
function phaseLoss(record: RunRecord, stage: number): Block[] {
  const phase = phaseName(record, stage);
  const losses = record.losses.filter((entry) => entry.stage === stage);
  const isWeighed = stage === 2 && record.refreshes.length > 0;
  const weighed = isWeighed ? "; pseudo-labels are weighed, so that heights do not compare with stage 1" : "";
  const figures = [...new Set(losses.flatMap(({ figures = {} }) => Object.keys(figures)))];
  return [
    ...byStep({ name: "loss", title: `Loss of ${phase}`, remark: weighed }, losses, ({ loss }) => loss),
    ...figures.flatMap((name) =>
      byStep({ name, title: `${capital(name)}, ${phase}`, remark: "" }, losses, ({ figures }) => figures?.[name]),
    ),
  ];
}

/** A number of each step through the epochs; a step without a finite one leaves a gap. */
function byStep(
  { name, title, remark }: { readonly name: string; readonly title: string; readonly remark: string },
  losses: RunRecord["losses"],
  value: (entry: RunRecord["losses"][number]) => number | null | undefined,
): Block[] {
  const steps = losses
    .map((entry, i) => ({ epoch: numberOf(entry.epoch), at: i + 1, value: numberOf(value(entry)) }))
    .filter((step) => Number.isFinite(step.value));
  if (steps.length === 0) return [];
  const points = steps.map((step): Point => [step.at, step.value]);
  const window = 2 * Math.ceil(points.length / 24) + 1;
  // Without its ends, where the window shortens to a single noisy value.
  const half = (window - 1) / 2;
  const curve = points.length > manySteps ? movingMean(points, window).slice(half, -half) : undefined;
  const means = epochMeans(steps);
  const ends = [means[0]!, means[means.length - 1]!].map(([, mean]) => decimals(mean, 3));
  const svg = scatter({
    description: `${title} by step; mean of the first epoch ${ends[0]}, of the last ${ends[1]}.`,
    x: { label: "step within the stage" },
    y: { label: name },
    points: thinned(points, mostPoints),
    ...(curve && { curve: thinned(curve, mostPoints) }),
    ...(means.length > 1 && { means }),
  });
  const parts = [
    `each of ${points.length} steps`,
    ...(curve ? [`the mean over ${window} steps (line)`] : []),
    ...(means.length > 1 ? ["the mean of each epoch (large discs, in its middle)"] : []),
  ];
  return [{ kind: "figure", svg, caption: `${title}: ${parts.join(", ")}${remark}${drawn(points)}.` }];
}

/** Mean of each epoch, at its middle step. */
function epochMeans(steps: readonly { epoch: number; at: number; value: number }[]): Point[] {
  return [...Map.groupBy(steps, ({ epoch }) => epoch).values()].map((members): Point => {
    const mean = members.reduce((sum, step) => sum + step.value, 0) / members.length;
    return [(members[0]!.at + members[members.length - 1]!.at) / 2, mean];
  });
}

/** Correlations of every result that has them, side by side. */
function reached({ results }: RunRecord): Block[] {
  const rows = results
    .map((result) => ({ ...result, name: resultName(result, results) }))
    .filter(({ evaluation }) => Number.isFinite(numberOf(evaluation.srcc)));
  if (rows.length === 0) return [];
  const svg = bars({
    description: `SRCC, KRCC and PLCC of ${rows.map(({ name }) => name).join(", ")}.`,
    y: { label: "correlation with the MOS", ...(rows.every(isPositive) && { minimum: 0, maximum: 1 }) },
    categories: rows.map(({ name }) => name),
    series: (["srcc", "krcc", "plcc"] as const).map((measure) => ({
      name: measure.toUpperCase(),
      values: rows.map(({ evaluation }) => numberOf(evaluation[measure])),
    })),
  });
  const parts = rows.some(({ part }) => part) ? "test and the validation part" : "test part";
  const caption = `Agreement with the true scores of the ${parts} at the end of each stage; higher is better.`;
  return [{ kind: "figure", svg, caption }];
}

const isPositive = ({ evaluation: { srcc, krcc, plcc } }: RunRecord["results"][number]) =>
  [srcc, krcc, plcc].every((value) => numberOf(value) >= 0);

/** Predicted against true scores of the test part, by stage. */
export function agreement(record: Pick<RunRecord, "predictions" | "range" | "phases" | "losses">): Section {
  const { predictions } = record;
  const one = { name: phaseName(record, 1), pairs: pairsOf(predictions, ({ stageOne }) => stageOne) };
  const two = { name: phaseName(record, 2), pairs: pairsOf(predictions, ({ score }) => score) };
  // After stage 1 alone the final scores are those of stage 1.
  const again = one.pairs.length > 0 && two.pairs.every(([score], i) => score === one.pairs[i]?.[0]);
  const stages = [one, ...(again ? [] : [two])].filter(({ pairs }) => pairs.length > 0);
  const ends = axisEnds(
    record.range,
    stages.flatMap(({ pairs }) => pairs.flat()),
  );
  return {
    title: "Predicted and true scores of the test part",
    blocks: stages.map(({ name, pairs }): Block => {
      const fitted = curveThrough(pairs);
      const svg = scatter({
        description: `True MOS over the score predicted by ${name}, ${pictureCount(pairs.length)}.`,
        x: { label: `predicted by ${name}`, ...ends },
        y: { label: "true MOS", ...ends },
        points: thinned(pairs, mostPoints),
        diagonal: true,
        ...(fitted && { curve: fitted.points }),
        height: 440,
      });
      const curve = fitted ? `, fitted ${fitted.name} (line)` : "";
      return {
        kind: "figure",
        svg,
        caption: `${capital(name)}: ${pictureCount(pairs.length)}${curve} and equality (dashed)${drawn(pairs)}.`,
      };
    }),
  };
}

function pairsOf(
  predictions: readonly Prediction[],
  of: (row: Prediction) => number | undefined,
): [predicted: number, mos: number][] {
  return predictions
    .map((row): [number, number] => [numberOf(of(row)), numberOf(row.mos)])
    .filter((pair) => pair.every(Number.isFinite));
}

function curveThrough(pairs: readonly Point[]): { name: string; points: Point[] } | undefined {
  if (pairs.length < 3) return undefined;
  const predicted = pairs.map(([x]) => x);
  const fitted = fitCurve(
    predicted,
    pairs.map(([, y]) => y),
  );
  const low = predicted.reduce((a, b) => Math.min(a, b));
  const high = predicted.reduce((a, b) => Math.max(a, b));
  if (!(high > low)) return undefined;
  const points = Array.from({ length: 101 }, (_, i): Point => {
    const x = low + ((high - low) * i) / 100;
    return [x, fitted.map(x)];
  });
  return { name: fitted.curve === "linear" ? "straight line" : "logistic", points };
}

/** Histogram of the predicted scores of the test part over that of the true ones. */
export function distribution({ predictions, range }: RunRecord): Section {
  return {
    title: "Distribution of the test scores",
    blocks: scoreHistogram(
      "Scores of the test part",
      [
        { name: "true", values: predictions.map(({ mos }) => numberOf(mos)) },
        { name: "predicted", values: predictions.map(({ score }) => numberOf(score)) },
      ],
      range,
    ),
  };
}

/** Lists of scores over the same bins; the first as bars. Lists without a number are left out. */
export function scoreHistogram(
  what: string,
  lists: readonly { readonly name: string; readonly values: readonly number[] }[],
  range: RunRecord["range"],
  height = 320,
): Block[] {
  const series = lists
    .map(({ name, values }) => ({ name, values: values.filter(Number.isFinite) }))
    .filter(({ values }) => values.length > 0);
  if (series.length === 0) return [];
  const ends = axisEnds(
    range,
    series.flatMap(({ values }) => values),
  );
  const [bars, outline] = series.map(({ name }) => name);
  const svg = histogram({
    description: `${what}, histograms: ${series.map(({ name }) => name).join(" and ")}.`,
    x: { label: series.length > 1 ? "score" : `${bars} score`, ...ends },
    series,
    bins: 20,
    height,
  });
  const both = outline ? `${bars} (bars) and ${outline} (line)` : bars;
  return [{ kind: "figure", svg, caption: `${what}, ${both}: ${pictureCount(series[0]!.values.length)}.` }];
}

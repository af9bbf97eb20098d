import { bars, lines, type Point, scatter } from "../chart.ts";
import type { Block, Section } from "../page.ts";
import { capital, dash, decimals, duration, numberOf, paragraph, sum } from "../report-parts.ts";
import type { ExperimentRecord, ExperimentVariant } from "./experiment-record.ts";
import { correlationEnds, inGroups, measured, medianOf, mostLines, titleOf } from "./experiment-values.ts";
import { type Sweep, type SweepLine, sweepsOf } from "./sweeps.ts";

const wholeWidth = 1080;

/** One section for each setting that the experiment went through. */
export function sweeps(record: ExperimentRecord): Section[] {
  return sweepsOf(record).map((sweep) => ({
    title: `Sweep of ${sweep.setting}`,
    blocks: [
      ...(["srcc", "plcc"] as const).map((measure) => sweepFigure(record, sweep, measure)),
      ...(sweep.lines.length > mostLines
        ? [paragraph(`${mostLines} of ${sweep.lines.length} combinations of the other settings are drawn.`)]
        : []),
    ],
  }));
}

function sweepFigure({ baseline }: ExperimentRecord, sweep: Sweep, measure: "srcc" | "plcc"): Block {
  const name = measure.toUpperCase();
  const drawn = sweep.lines.slice(0, mostLines);
  const values = drawn.flatMap(({ points }) => points.map(({ value }) => value));
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const x = { label: sweep.setting, logarithmic: low > 0 && high / low >= 30 };
  const all = drawn.flatMap(({ points }) => points.flatMap(({ variant }) => measured(variant, "test", measure)));
  const y = { label: `test ${name}`, ...correlationEnds(all) };
  const medians = ({ points }: SweepLine) =>
    points
      .map(({ value, variant }): Point => [value, medianOf(measured(variant, "test", measure))])
      .filter((point) => point.every(Number.isFinite));
  const description = `Test ${name} over ${sweep.setting}: ${medians(drawn[0]!)
    .map(([value, median]) => `${value} ${decimals(median, 3)}`)
    .join(", ")}.`;
  if (drawn.length === 1) {
    const points = drawn[0]!.points.flatMap(({ value, variant }) =>
      measured(variant, "test", measure).map((each): Point => [value, each]),
    );
    const finite = points.filter((point) => point.every(Number.isFinite));
    const svg = scatter({ description, x, y, points: finite, means: medians(drawn[0]!) });
    const shared = drawn[0]!.context ? `, with ${drawn[0]!.context}` : "";
    return {
      kind: "figure",
      svg,
      caption: `Test ${name} over ${sweep.setting}${shared}: every repeat, and the medians joined.`,
    };
  }
  const series = drawn.map((line) => ({ name: line.context || baseline, points: medians(line) }));
  const svg = lines({ description, x, y, series });
  return {
    kind: "figure",
    svg,
    caption: `Medians of the test ${name} over ${sweep.setting}, all else equal along a line.`,
  };
}

/** What is known of the pseudo-labels after a refresh. */
const qualities = [
  { name: "SRCC", digits: 3, of: "srcc", better: "higher is better" },
  { name: "MAE", digits: 2, of: "mae", better: "scores on 1 to 100, lower is better" },
  { name: "RMSE", digits: 2, of: "rmse", better: "scores on 1 to 100, lower is better" },
  { name: "slope", digits: 2, of: "slope", better: "1 keeps the scale" },
] as const;

/** What pseudo-labels are made of, whichever is learnt. */
const sources = ["propagated", "own"] as const;

/** Agreement of the pseudo-labels with the truth by refresh, medians over the repeats. */
export function pseudoLabelQuality(record: ExperimentRecord): Section {
  const known = record.variants
    .map((variant) => ({ variant, epochs: epochsOf(variant) }))
    .filter(({ epochs }) => epochs.size > 0);
  if (known.length === 0) return { title: "", blocks: [] };
  const rows = known.map(({ variant, epochs }) => {
    const last = Math.max(...epochs.keys());
    const final = epochs.get(last)!;
    return [
      titleOf(variant, record),
      last + 1,
      ...qualities.map(({ of, digits }) =>
        decimals(medianOf(final.map(({ quality }) => numberOf(quality?.[of]))), digits),
      ),
      decimals(medianOf(final.map(({ meanConfidence }) => numberOf(meanConfidence))), 3),
      decimals(medianOf(final.map(({ quality }) => numberOf(quality?.confidenceSrcc))), 2),
      ...sources.map((source) => decimals(medianOf(final.map((refresh) => numberOf(refresh[source]?.srcc))), 3)),
    ];
  });
  const headers = [
    ...["variant", "epoch", ...qualities.map(({ name }) => name)],
    "mean confidence",
    "SRCC of confidence and error",
    "SRCC of propagated labels",
    "SRCC of own predictions",
  ];
  const several = known.some(({ epochs }) => epochs.size > 1);
  const figures = (["SRCC", "MAE", "slope"] as const).flatMap((name) =>
    inGroups(known).map((group): Block => {
      const { of, better } = qualities.find((quality) => quality.name === name)!;
      const series = group.map(({ variant, epochs }) => ({
        name: variant.name,
        points: [...epochs]
          .map(([epoch, all]): Point => [epoch + 1, medianOf(all.map(({ quality }) => numberOf(quality?.[of])))])
          .filter((point) => point.every(Number.isFinite))
          .sort(([a], [b]) => a - b),
      }));
      const svg = lines({
        description: `${name} of the pseudo-labels by epoch: ${series.map((each) => each.name).join(", ")}.`,
        x: { label: "epoch of stage 2", whole: true },
        y: { label: `${name} of the pseudo-labels` },
        series,
      });
      return { kind: "figure", svg, caption: `${capital(name)} of the pseudo-labels after each refresh; ${better}.` };
    }),
  );
  return {
    title: "Pseudo-labels",
    blocks: [
      {
        kind: "table",
        headers,
        rows,
        caption:
          "Pseudo-labels of the last refresh against the truth, which training did not see; medians over the repeats. Beside them what the graph gives and what the network itself predicts, whichever is learnt. Confidence would foretell every error at -1, none at 0.",
      },
      ...(several ? figures : []),
    ],
  };
}

type Refresh = ExperimentVariant["runs"][number]["refreshes"][number];

/** Refreshes with known truth, of all finished runs, by epoch. */
function epochsOf({ runs }: ExperimentVariant): Map<number, Refresh[]> {
  const known = runs
    .filter(({ status }) => status === "finished")
    .flatMap(({ refreshes }) => refreshes)
    .filter(({ quality }) => quality);
  return Map.groupBy(known, ({ epoch }) => epoch);
}

/** Median time of each phase. */
export function times(record: ExperimentRecord): Section {
  const known = record.variants
    .map((variant) => ({
      variant,
      runs: variant.runs.filter(({ status, phases }) => status === "finished" && phases.length),
    }))
    .filter(({ runs }) => runs.length > 0);
  if (known.length === 0) return { title: "", blocks: [] };
  const phases = [...new Set(known.flatMap(({ runs }) => runs.flatMap((run) => run.phases.map(({ name }) => name))))];
  const median = ({ runs }: (typeof known)[number], phase: string) =>
    medianOf(runs.map((run) => sum(run.phases.filter(({ name }) => name === phase).map(({ seconds }) => seconds))));
  const longest = Math.max(...known.map((each) => sum(phases.map((phase) => median(each, phase)))));
  const minutes = longest >= 300;
  const svg = bars({
    description: `Time of each phase by variant: ${known.map((each) => `${each.variant.name} ${duration(sum(phases.map((phase) => median(each, phase))))}`).join(", ")}.`,
    y: { label: minutes ? "minutes" : "seconds" },
    categories: known.map(({ variant }) => titleOf(variant, record)),
    series: phases.map((phase) => ({
      name: phase,
      values: known.map((each) => median(each, phase) / (minutes ? 60 : 1)),
    })),
    horizontal: true,
    stacked: true,
    width: wholeWidth,
    height: 110 + 34 * known.length,
  });
  const rows = known.map((each) => [
    titleOf(each.variant, record),
    ...phases.map((phase) => (median(each, phase) > 0 ? duration(median(each, phase)) : dash)),
    duration(sum(phases.map((phase) => median(each, phase)))),
  ]);
  return {
    title: "Time",
    blocks: [
      {
        kind: "figure",
        svg,
        wide: true,
        caption:
          "Wall time of one repeat by phase, medians. A stage that variants share was trained once and counts for each.",
      },
      { kind: "table", headers: ["variant", ...phases, "all"], rows },
    ],
  };
}

import type { RunRecord } from "../../training/run-record.ts";
import { lines, type Point, scatter } from "../chart.ts";
import type { Block, Section } from "../page.ts";
import { scoreHistogram } from "../report-figures.ts";
import {
  axisEnds,
  decimals,
  drawn,
  magnitude,
  mostPoints,
  numberOf,
  paragraph,
  pictureCount,
  thinned,
} from "../report-parts.ts";
import { errorFigure } from "./spread-figures.ts";

type Refresh = RunRecord["refreshes"][number];
type Regression = NonNullable<RunRecord["regressions"]>[number];
type Quality = NonNullable<Refresh["quality"]>;

/** What the label steps did, and how far the pseudo-labels can be believed where the truth is known. */
export function pseudoLabels(record: RunRecord): Section {
  const { refreshes, regressions = [] } = record;
  const blocks: Block[] = [];
  if (refreshes.length > 0) {
    const unsolved = refreshes.filter(({ converged }) => !converged).length;
    const solved = unsolved
      ? `${unsolved} of ${refreshes.length} solves did not converge within the iterations allowed`
      : "every solve converged";
    const which = record.options["refresh"] === "once" ? "the first" : "each";
    blocks.push(
      paragraph(`The pseudo-labels are made before ${which} epoch of stage 2; ${solved}.`),
      solverTable(refreshes),
      ...qualityOf(refreshes),
      ...ownBesidePropagated(refreshes),
    );
  }
  if (regressions.length > 0) blocks.push(regressionTable(regressions), ...qualityOf(regressions));
  return { title: "Pseudo-labels", blocks: [...blocks, ...lastRefresh(record)] };
}

function solverTable(refreshes: readonly Refresh[]): Block {
  const headers = [
    "epoch",
    "iterations",
    "residual",
    "converged",
    "unreachable",
    "confidence",
    "label step, s",
    "features, s",
  ];
  const rows = refreshes.map((refresh) => [
    decimals(numberOf(refresh.epoch) + 1, 0),
    decimals(refresh.iterations, 0),
    magnitude(refresh.residual),
    refresh.converged ? "yes" : "no",
    decimals(refresh.unreachable, 0),
    decimals(refresh.meanConfidence, 3),
    decimals(refresh.seconds, 2),
    decimals(refresh.featureSeconds, 2),
  ]);
  const caption = "Unreachable: pictures that no label reaches in the graph. Confidence: the mean, 0 to 1.";
  return { kind: "table", headers, rows, caption };
}

function regressionTable(regressions: readonly Regression[]): Block {
  const rows = regressions.map(({ epoch, width, ridge, leftOut, meanConfidence, seconds, featureSeconds }) => [
    decimals(numberOf(epoch) + 1, 0),
    width === undefined ? "none" : magnitude(width),
    magnitude(ridge),
    decimals(leftOut.mae, 2),
    decimals(leftOut.srcc, 3),
    decimals(meanConfidence, 3),
    decimals(seconds, 2),
    decimals(featureSeconds, 2),
  ]);
  return {
    kind: "table",
    headers: ["epoch", "width", "ridge", "MAE left out", "SRCC left out", "confidence", "regression, s", "features, s"],
    rows,
    caption:
      "Left out: each labelled picture by all others, scores on [1, 100]; width and ridge are chosen by it where they are not given. " +
      "Confidence: the mean, 0 to 1.",
  };
}

/** Agreement with the truth after each refresh, as a table and, from two refreshes on, as curves. */
function qualityOf(refreshes: readonly Pick<Refresh, "epoch" | "quality">[]): Block[] {
  const known = refreshes.flatMap(({ epoch, quality }) => (quality ? [{ epoch: numberOf(epoch) + 1, quality }] : []));
  if (known.length === 0) return [];
  const rows = known.map(({ epoch, quality: q }) => [
    decimals(epoch, 0),
    decimals(q.n, 0),
    ...[q.mae, q.rmse].map((value) => decimals(value, 2)),
    decimals(q.srcc, 3),
    decimals(q.slope, 2),
    decimals(q.confidenceSrcc, 2),
  ]);
  const headers = ["epoch", "n", "MAE", "RMSE", "SRCC", "slope", "SRCC of confidence and error"];
  const caption =
    "Pseudo-labels against the truth, scores on [1, 100]. SRCC: higher is better. Slope of pseudo-label on truth: 1 keeps the scale. " +
    "Confidence would foretell every error at -1, none at 0.";
  const table: Block = { kind: "table", headers, rows, caption };
  if (known.length < 2) return [table];
  const curve = (name: string, of: (quality: Quality) => unknown) => ({
    name,
    points: known
      .map(({ epoch, quality }): Point => [epoch, numberOf(of(quality))])
      .filter((point) => point.every(Number.isFinite)),
  });
  const x = { label: "epoch", whole: true };
  const errors = lines({
    description: "MAE and RMSE of the pseudo-labels by epoch.",
    x,
    y: { label: "error (scores on 1 to 100)", minimum: 0 },
    series: [curve("MAE", ({ mae }) => mae), curve("RMSE", ({ rmse }) => rmse)],
    height: 300,
  });
  const ranks = lines({
    description: "SRCC and slope of the pseudo-labels by epoch.",
    x,
    y: { label: "SRCC, slope" },
    series: [curve("SRCC", ({ srcc }) => srcc), curve("slope", ({ slope }) => slope)],
    height: 300,
  });
  return [
    table,
    { kind: "figure", svg: errors, caption: "Errors of the pseudo-labels after each refresh; lower is better." },
    { kind: "figure", svg: ranks, caption: "Order and scale of the pseudo-labels after each refresh; 1 is best." },
  ];
}

/** The two sources of pseudo-labels, whichever is learnt: what the graph gives and what the network itself predicts of the same pictures. */
function ownBesidePropagated(refreshes: readonly Refresh[]): Block[] {
  const known = refreshes.flatMap(({ epoch, propagated, own }) =>
    propagated && own ? [{ epoch: numberOf(epoch) + 1, propagated, own }] : [],
  );
  if (known.length === 0) return [];
  const sources = [
    ["propagated labels", "propagated"],
    ["own predictions", "own"],
  ] as const;
  const rows = known.flatMap((each) =>
    sources.map(([name, source]) => {
      const { srcc, plcc, mae, rmse, slope } = each[source];
      return [
        ...[decimals(each.epoch, 0), name],
        ...[srcc, plcc].map((value) => decimals(value, 3)),
        ...[mae, rmse, slope].map((value) => decimals(value, 2)),
      ];
    }),
  );
  const headers = ["epoch", "source", "SRCC", "PLCC", "MAE", "RMSE", "slope"];
  const caption =
    "What the graph gives and what the network that made it predicts itself, of the same unlabelled pictures against the truth, scores on " +
    "[1, 100]: propagation helps where its labels are nearer to the truth.";
  const table: Block = { kind: "table", headers, rows, caption };
  if (known.length < 2) return [table];
  const figure = (name: string, of: (quality: Quality) => unknown, label: string, better: string): Block => {
    const series = sources.map(([title, source]) => ({
      name: title,
      points: known
        .map((each): Point => [each.epoch, numberOf(of(each[source]))])
        .filter((point) => point.every(Number.isFinite)),
    }));
    const description = `${name} of propagated labels and of the network's own predictions by epoch.`;
    const svg = lines({ description, x: { label: "epoch", whole: true }, y: { label }, series, height: 300 });
    return { kind: "figure", svg, caption: `${name} of both sources before each epoch; ${better} is better.` };
  };
  return [
    table,
    figure("SRCC", ({ srcc }) => srcc, "SRCC", "higher"),
    figure("MAE", ({ mae }) => mae, "MAE (scores on 1 to 100)", "lower"),
  ];
}

/** The pictures of the last refresh whose truth is known. */
function lastRefresh(record: RunRecord): Block[] {
  const rated = record.pseudoLabels
    .map(({ pseudo, mos, confidence }) => ({
      pseudo: numberOf(pseudo),
      mos: numberOf(mos),
      confidence: numberOf(confidence),
    }))
    .filter(({ pseudo, mos }) => Number.isFinite(pseudo - mos));
  if (rated.length === 0) return [];
  const ends = axisEnds(
    record.range,
    rated.flatMap(({ pseudo, mos }) => [pseudo, mos]),
  );
  const svg = scatter({
    description: `True MOS over the pseudo-label of the last refresh, ${pictureCount(rated.length)}.`,
    x: { label: "pseudo-label", ...ends },
    y: { label: "true MOS", ...ends },
    points: thinned(rated, mostPoints).map(({ pseudo, mos }): Point => [pseudo, mos]),
    diagonal: true,
    height: 440,
  });
  return [
    {
      kind: "figure",
      svg,
      caption: `Last refresh: unlabelled pictures whose truth is known (${rated.length}), and equality (dashed). Training did not see the truth${drawn(rated)}.`,
    },
    ...scoreHistogram(
      "Last refresh",
      [
        { name: "truth", values: rated.map(({ mos }) => mos) },
        { name: "pseudo-labels", values: rated.map(({ pseudo }) => pseudo) },
      ],
      record.range,
      440,
    ),
    ...errorFigure({
      what: "weight",
      of: "pseudo-labels",
      wanted: -1,
      x: { label: "weight of the pseudo-label in the loss (confidence)", minimum: 0 },
      points: rated.map(({ pseudo, mos, confidence }): Point => [confidence, Math.abs(pseudo - mos)]),
    }),
  ];
}

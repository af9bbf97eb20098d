import { fitCurve, srcc } from "../metrics/index.ts";
import { type Axis, histogram, lines, type Point, scatter } from "./chart.ts";
import type { Block, Section } from "./page.ts";
import {
  axisEnds,
  capital,
  decimals,
  magnitude,
  movingMean,
  numberOf,
  paragraph,
  percent,
  pictureCount,
  thinned,
} from "./report-parts.ts";
import type { RunRecord } from "./run-record.ts";

type Prediction = RunRecord["predictions"][number];

/** Points in one chart; more would make the page heavy and add nothing that the eye can tell apart. */
const mostPoints = 2000;
/** Steps from which single losses are noise around a mean. */
const manySteps = 60;

export function losses({ losses }: RunRecord): Section {
  const stages = ([1, 2] as const)
    .map((stage) => ({
      name: `stage ${stage}`,
      // Counted through the epochs; a step without a finite loss leaves a gap.
      points: losses
        .filter((entry) => entry.stage === stage)
        .map(({ loss }, i): Point => [i + 1, numberOf(loss)])
        .filter(([, loss]) => Number.isFinite(loss)),
    }))
    .filter(({ points }) => points.length > 0);
  const few = stages.every(({ points }) => points.length <= manySteps);
  return { title: "Training", blocks: few ? lossLines(stages) : stages.map(smoothedLoss) };
}

interface StageLosses {
  readonly name: string;
  readonly points: readonly Point[];
}

const lossAxes = { x: { label: "step within the stage" }, y: { label: "loss" } };

function lossLines(stages: readonly StageLosses[]): Block[] {
  if (stages.length === 0) return [];
  const description = `Training loss by step: ${stages.map(({ name }) => name).join(" and ")}.`;
  const svg = lines({ description, ...lossAxes, series: stages });
  const differ = stages.length > 1 ? "; stage 2 weighs pseudo-labels, so the heights do not compare" : "";
  return [{ kind: "figure", svg, caption: `Training loss of each step${differ}.` }];
}

function smoothedLoss({ name, points }: StageLosses): Block {
  const window = 2 * Math.ceil(points.length / 40) + 1;
  const curve = movingMean(points, window);
  const [first, last] = [curve[0]!, curve[curve.length - 1]!].map(([, loss]) => decimals(loss, 3));
  const svg = scatter({
    description: `Training loss of ${name} by step, from ${first} to ${last}.`,
    ...lossAxes,
    points: thinned(points, mostPoints),
    curve: thinned(curve, mostPoints),
  });
  const caption = `Loss of ${name}: each of ${points.length} steps, and the mean over ${window} steps${drawn(points)}.`;
  return { kind: "figure", svg, caption };
}

/** Predicted against true scores of the test part, by stage. */
export function agreement(record: RunRecord): Section {
  const { predictions } = record;
  const one = { name: "stage 1", pairs: pairsOf(predictions, ({ stageOne }) => stageOne) };
  const two = { name: "stage 2", pairs: pairsOf(predictions, ({ score }) => score) };
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

export function pseudoLabels(record: RunRecord): Section {
  const { refreshes } = record;
  const rated = record.pseudoLabels
    .map(({ pseudo, mos, confidence }) => ({
      pseudo: numberOf(pseudo),
      mos: numberOf(mos),
      confidence: numberOf(confidence),
    }))
    .filter(({ pseudo, mos }) => Number.isFinite(pseudo - mos));
  const blocks: Block[] = [];
  if (refreshes.length > 0) {
    const unsolved = refreshes.filter(({ converged }) => !converged).length;
    const solved = unsolved
      ? `${unsolved} of ${refreshes.length} solves did not converge within the iterations allowed`
      : "every solve converged";
    blocks.push(
      paragraph(
        `The pseudo-labels are made before ${record.options.refresh === "once" ? "the first" : "each"} epoch of stage 2; ${solved}.`,
      ),
      ...refreshTables(refreshes),
    );
  }
  if (rated.length > 0) {
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
    blocks.push(
      {
        kind: "figure",
        svg,
        caption: `Last refresh: unlabelled pictures whose truth is known (${rated.length}), and equality (dashed). Training did not see the truth${drawn(rated)}.`,
      },
      ...errorFigure(
        "confidence",
        { label: "confidence of the pseudo-label", minimum: 0, maximum: 1 },
        rated.map(({ pseudo, mos, confidence }): Point => [confidence, Math.abs(pseudo - mos)]),
        440,
      ),
    );
  }
  return { title: "Pseudo-labels", blocks };
}

function refreshTables(refreshes: RunRecord["refreshes"]): Block[] {
  const solver = refreshes.map((refresh) => [
    decimals(numberOf(refresh.epoch) + 1, 0),
    decimals(refresh.iterations, 0),
    magnitude(refresh.residual),
    refresh.converged ? "yes" : "no",
    decimals(refresh.unreachable, 0),
    decimals(refresh.meanConfidence, 3),
    decimals(refresh.seconds, 2),
    decimals(refresh.featureSeconds, 2),
  ]);
  const truth = refreshes.flatMap(({ epoch, quality: q }) =>
    q
      ? [
          [
            decimals(numberOf(epoch) + 1, 0),
            decimals(q.n, 0),
            ...[q.mae, q.rmse].map((value) => decimals(value, 2)),
            decimals(q.srcc, 3),
            decimals(q.slope, 2),
          ],
        ]
      : [],
  );
  return [
    {
      kind: "table",
      headers: [
        "epoch",
        "iterations",
        "residual",
        "converged",
        "unreachable",
        "confidence",
        "label step, s",
        "features, s",
      ],
      rows: solver,
      caption: "Unreachable: pictures that no label reaches in the graph. Confidence: the mean, 0 to 1.",
    },
    ...(truth.length
      ? [
          {
            kind: "table" as const,
            headers: ["epoch", "n", "MAE", "RMSE", "SRCC", "slope"],
            rows: truth,
            caption: "Pseudo-labels against the truth, scores on [1, 100]. SRCC: higher is better.",
          },
        ]
      : []),
  ];
}

/** Does the model know when it is wrong? */
export function uncertainty({ predictions }: RunRecord): Section {
  const rows = predictions
    .map((row) => ({ ...row, error: Math.abs(numberOf(row.score) - numberOf(row.mos)) }))
    .filter(({ error }) => Number.isFinite(error));
  const spread = rows.map((row): Point => [numberOf(row.standardDeviation), row.error]);
  const measured = spread.filter(([deviation]) => Number.isFinite(deviation));
  const within = measured.filter(([deviation, error]) => error <= deviation).length;
  return {
    title: "Uncertainty of the test scores",
    blocks: [
      ...errorFigure(
        "confidence",
        { label: "confidence of the prediction", minimum: 0 },
        rows.map((row): Point => [numberOf(row.confidence), row.error]),
      ),
      ...errorFigure(
        "standard deviation",
        { label: "predicted standard deviation (MOS units)", minimum: 0 },
        spread,
        undefined,
        `; ${percent(within, measured.length)} of the errors lie within one standard deviation`,
      ),
    ],
  };
}

/** Absolute error over something that should foretell it. */
function errorFigure(what: string, x: Axis, all: readonly Point[], height?: number, remark = ""): Block[] {
  const points = all.filter((point) => point.every(Number.isFinite));
  if (points.length === 0) return [];
  const rank =
    points.length < 3
      ? Number.NaN
      : srcc(
          points.map(([value]) => value),
          points.map(([, error]) => error),
        );
  const svg = scatter({
    description: `Absolute error over ${what}, ${pictureCount(points.length)}.`,
    x,
    y: { label: "absolute error (MOS units)", minimum: 0 },
    points: thinned(points, mostPoints),
    height,
  });
  const wanted = what === "confidence" ? "-1" : "1";
  const known = Number.isNaN(rank)
    ? ""
    : `: SRCC ${rank.toFixed(2)}, where ${wanted} would foretell every error and 0 none`;
  return [
    {
      kind: "figure",
      svg,
      caption: `${capital(what)} and absolute error${known}${remark}${drawn(points)}.`,
    },
  ];
}

export function distribution({ predictions, range }: RunRecord): Section {
  const lists = [
    { name: "predicted", values: predictions.map(({ score }) => numberOf(score)) },
    { name: "true", values: predictions.map(({ mos }) => numberOf(mos)) },
  ].map(({ name, values }) => ({ name, values: values.filter(Number.isFinite) }));
  // The same bins for both, or they would not compare.
  const ends = axisEnds(
    range,
    lists.flatMap(({ values }) => values),
  );
  return {
    title: "Distribution of the test scores",
    blocks: lists
      .filter(({ values }) => values.length > 0)
      .map(({ name, values }): Block => {
        const svg = histogram({
          description: `Histogram of the ${name} scores of ${pictureCount(values.length)}.`,
          x: { label: `${name} score`, ...ends },
          values,
          bins: 20,
          height: 280,
        });
        return {
          kind: "figure",
          svg,
          caption: `${capital(name)} scores of the test part, ${pictureCount(values.length)}.`,
        };
      }),
  };
}

/** What a caption adds when not all points are drawn. */
const drawn = (points: readonly unknown[]) => (points.length > mostPoints ? `; ${mostPoints} of them are drawn` : "");

import { binnedErrors, srcc } from "../../metrics/index.ts";
import type { RunRecord } from "../../training/run-record.ts";
import { type Axis, histogram, lines, type Point, scatter } from "../chart.ts";
import type { Block, Section } from "../page.ts";
import {
  capital,
  decimals,
  drawn,
  mostPoints,
  numberOf,
  paragraph,
  percent,
  pictureCount,
  thinned,
} from "../report-parts.ts";

/** Do the predicted distributions hold the true scores as often as they claim, and does the model know when it is wrong? */
export function spread(record: RunRecord): Section {
  const rows = record.predictions
    .map((row) => ({ ...row, error: Math.abs(numberOf(row.score) - numberOf(row.mos)) }))
    .filter(({ error }) => Number.isFinite(error));
  const deviations = rows.map((row): Point => [numberOf(row.standardDeviation), row.error]);
  const measured = deviations.filter(([deviation]) => Number.isFinite(deviation));
  const within = measured.filter(([deviation, error]) => error <= deviation).length;
  return {
    title: "Reliability of the predicted spread",
    blocks: [
      ...coverage(record),
      ...sharesBelow(record),
      ...errorFigure({
        what: "confidence",
        of: "predictions",
        wanted: -1,
        x: { label: "confidence of the prediction", minimum: 0 },
        points: rows.map((row): Point => [numberOf(row.confidence), row.error]),
      }),
      ...errorFigure({
        what: "standard deviation",
        of: "predictions",
        wanted: 1,
        x: { label: "predicted standard deviation (MOS units)", minimum: 0 },
        points: deviations,
        remark: `; ${percent(within, measured.length)} of the errors lie within one standard deviation`,
      }),
    ],
  };
}

function coverage({ reliability = [] }: RunRecord): Block[] {
  if (reliability.length === 0) return [];
  const rows = reliability.map((entry) => [
    entry.name,
    decimals(entry.n, 0),
    decimals(entry.calibrationError, 3),
    ...[0.5, 0.9].map((share) => percent(observedAt(entry, share), 1)),
    ...[entry.meanZ, entry.sdZ, entry.confidenceSrcc, entry.deviationSrcc].map((value) => decimals(value, 2)),
  ]);
  const headers = [
    "predictions of",
    "n",
    "coverage error",
    "held by 50 %",
    "held by 90 %",
    "mean z",
    "SD of z",
    "SRCC of confidence and error",
    "SRCC of SD and error",
  ];
  const axis = { minimum: 0, maximum: 1 };
  const svg = lines({
    description: `Share of the true scores inside central intervals of the predicted distribution, against the share they should hold: ${reliability.map(({ name }) => name).join(", ")}.`,
    x: { label: "share that the interval should hold", ...axis },
    y: { label: "share of the true scores inside", ...axis },
    series: reliability.map((entry) => ({
      name: entry.name,
      points: entry.coverage.map(({ nominal, observed }): Point => [numberOf(nominal), numberOf(observed)]),
    })),
    diagonal: true,
    height: 440,
  });
  return [
    paragraph(
      "Each predicted distribution claims that its central interval of 50 % holds the true score in half of all cases. " +
        "Coverage error: mean distance from that over the intervals of 10 % to 90 %, 0 is perfect. z: error over predicted standard deviation; " +
        "its mean is 0 without bias, its SD 1 when the spread fits, more when it is too narrow.",
    ),
    { kind: "table", headers, rows },
    {
      kind: "figure",
      svg,
      caption:
        "Coverage of central intervals of the predicted distribution. On the diagonal (dashed) the spread is right, below it is too narrow, above too wide.",
    },
  ];
}

type ReliabilityEntry = NonNullable<RunRecord["reliability"]>[number];

function observedAt({ coverage }: ReliabilityEntry, share: number): number {
  return numberOf(coverage.find(({ nominal }) => Math.abs(nominal - share) < 1e-6)?.observed);
}

/** Where the true scores lie in the predicted distributions. */
function sharesBelow({ predictions }: RunRecord): Block[] {
  const values = predictions.map(({ shareBelow }) => numberOf(shareBelow)).filter(Number.isFinite);
  if (values.length < 10) return [];
  const svg = histogram({
    description: `Histogram of the share of the predicted distribution below the true score, ${pictureCount(values.length)}.`,
    x: { label: "share of the predicted distribution below the true score", minimum: 0, maximum: 1 },
    series: [{ name: "test part", values }],
    bins: 10,
    height: 440,
  });
  const caption =
    "Where the true scores lie in the final predicted distributions. Even bars: the spread is right; high ends: too narrow; a hill: too wide; a slope: scores too low (rising) or too high (falling).";
  return [{ kind: "figure", svg, caption }];
}

/** Absolute error over something that should foretell it, with means over bins. */
export function errorFigure(options: {
  readonly what: string;
  readonly of: string;
  /** SRCC of a perfect foreteller. */
  readonly wanted: 1 | -1;
  readonly x: Axis;
  readonly points: readonly Point[];
  readonly remark?: string;
}): Block[] {
  const { what, of, wanted, x, remark = "" } = options;
  const points = options.points.filter((point) => point.every(Number.isFinite));
  if (points.length === 0) return [];
  const [foretellers, errors] = [points.map(([value]) => value), points.map(([, error]) => error)];
  const rank = points.length < 3 ? Number.NaN : srcc(foretellers, errors);
  const bins = binnedErrors(foretellers, errors);
  const svg = scatter({
    description: `Absolute error over ${what}, ${pictureCount(points.length)}.`,
    x,
    y: { label: "absolute error (MOS units)", minimum: 0 },
    points: thinned(points, mostPoints),
    ...(bins.length > 1 && { means: bins.map(({ meanPredictor, meanError }): Point => [meanPredictor, meanError]) }),
  });
  const known = Number.isNaN(rank)
    ? ""
    : `: SRCC ${rank.toFixed(2)}, where ${wanted} would foretell every error and 0 none`;
  const sizes = bins.map(({ n }) => n);
  const least = sizes.reduce((a, b) => Math.min(a, b));
  const most = sizes.reduce((a, b) => Math.max(a, b));
  const each = least === most ? `${least}` : `${least} to ${most}`;
  const means = bins.length > 1 ? `; large discs are means of ${each} pictures each` : "";
  return [
    {
      kind: "figure",
      svg,
      caption: `${capital(what)} and absolute error of ${of}${known}${remark}${means}${drawn(points)}.`,
    },
  ];
}

/** Predicted distributions beside what is known of the opinions. */
export function opinions({ distributions = [] }: RunRecord): Section {
  if (distributions.length === 0) return { title: "", blocks: [] };
  const rows = distributions.map((entry) => [
    entry.name,
    entry.reference === "histogram" ? "grades" : "normal",
    decimals(entry.n, 0),
    ...[entry.jensenShannon, entry.jensenShannonDistance, entry.wasserstein, entry.emd].map(
      (value) => `${decimals(value?.mean, 3)} / ${decimals(value?.median, 3)}`,
    ),
  ]);
  const headers = ["predictions of", "against", "n", "JS divergence", "JS distance", "Wasserstein", "EMD"];
  const deviation = distributions.find((entry) => entry.deviation)?.deviation;
  const filled = deviation
    ? ` Of the standard deviation of the opinions ${pictureCount(deviation.given)} have their own, ${decimals(deviation.mean, 3)} on average${distributions.some(({ n, deviation: d }) => d && d.given < n) ? ", which the others take" : ""}.`
    : "";
  return {
    title: "Predicted distributions and opinions",
    blocks: [
      paragraph(
        "Predicted distributions of the test part against the counts of grades that a picture was given, or against a normal distribution of its MOS and " +
          "the standard deviation of its opinions, both on the score set: mean / median, 0 is equal. Jensen-Shannon divergence in nats, at most 0.693; " +
          "the distance is its root. 1-Wasserstein on a range of 1, and EMD as in NIMA (r = 2): at most 1." +
          filled,
      ),
      { kind: "table", headers, rows },
      paragraph(
        "The paper of CPL-IQA gives JS 0.065 and Wasserstein 0.042 for KonIQ-10k, 0.097 and 0.086 for LIVE-C, against normal distributions made from the data set's variance; " +
          "it does not say which form of JS.",
      ),
    ],
  };
}

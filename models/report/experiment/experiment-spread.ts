import { lines, type Point } from "../chart.ts";
import type { Block, Section } from "../page.ts";
import { decimals, numberOf, paragraph, percent } from "../report-parts.ts";
import type { ExperimentRecord, ExperimentRun } from "./experiment-record.ts";
import { inGroups, medianOf, titleOf } from "./experiment-values.ts";

type Comparison = NonNullable<ExperimentRun["distributions"]>[number];

/** How far predicted spreads can be believed, and how near predicted distributions come to the opinions, by variant. */
export function spreads(record: ExperimentRecord): Section {
  return {
    title: "Predicted distributions",
    blocks: [...reliability(record), ...opinions(record, "normal"), ...opinions(record, "histogram")],
  };
}

function reliability(record: ExperimentRecord): Block[] {
  const known = record.variants
    .map((variant) => ({
      title: titleOf(variant, record),
      entries: variant.runs.flatMap((run) => (run.status === "finished" && run.reliability ? [run.reliability] : [])),
    }))
    .filter(({ entries }) => entries.length > 0);
  if (known.length === 0) return [];
  type Entry = (typeof known)[number]["entries"][number];
  const observed = ({ coverage }: Entry, share: number) =>
    numberOf(coverage.find(({ nominal }) => Math.abs(nominal - share) < 1e-6)?.observed);
  const rows = known.map(({ title, entries }) => {
    const median = (of: (entry: Entry) => unknown) => medianOf(entries.map((entry) => numberOf(of(entry))));
    return [
      title,
      decimals(
        median(({ calibrationError }) => calibrationError),
        3,
      ),
      ...[0.5, 0.9].map((share) =>
        percent(
          median((entry) => observed(entry, share)),
          1,
        ),
      ),
      ...(["meanZ", "sdZ", "confidenceSrcc"] as const).map((name) =>
        decimals(
          median((entry) => entry[name]),
          2,
        ),
      ),
    ];
  });
  const headers = [
    ...["variant", "coverage error", "held by 50 %", "held by 90 %", "mean z", "SD of z"],
    "SRCC of confidence and error",
  ];
  const figures = inGroups(known).map((group): Block => {
    const series = group.map(({ title, entries }) => ({
      name: title,
      points: entries[0]!.coverage.map(
        ({ nominal }): Point => [nominal, medianOf(entries.map((entry) => observed(entry, nominal)))],
      ),
    }));
    const svg = lines({
      description: `Coverage of central intervals by variant: ${series.map(({ name }) => name).join(", ")}.`,
      x: { label: "share that the interval should hold", minimum: 0, maximum: 1 },
      y: { label: "share of the true scores inside", minimum: 0, maximum: 1 },
      series,
      diagonal: true,
      height: 440,
    });
    const caption =
      "Coverage of central intervals of the predicted distributions, medians over the repeats. On the diagonal (dashed) the spread is right, below it is too narrow, above too wide.";
    return { kind: "figure", svg, caption };
  });
  return [
    paragraph(
      "Central intervals of a predicted distribution should hold the true score as often as they say. Coverage error: mean distance from that over the " +
        "intervals of 10 % to 90 %, 0 is perfect. z: error over predicted standard deviation, its mean 0 without bias and its SD 1 when the spread fits. " +
        "Confidence would foretell every error at -1, none at 0.",
    ),
    { kind: "table", headers, rows, caption: "Test part, medians over the repeats." },
    ...figures,
  ];
}

function opinions(record: ExperimentRecord, reference: Comparison["reference"]): Block[] {
  const rows = record.variants.flatMap((variant) => {
    const entries = variant.runs.flatMap(({ distributions = [] }) =>
      distributions.filter((entry) => entry.reference === reference),
    );
    if (entries.length === 0) return [];
    const measures = ["jensenShannon", "jensenShannonDistance", "wasserstein", "emd"] as const;
    const medians = measures.map((name) => decimals(medianOf(entries.map((entry) => numberOf(entry[name]?.mean))), 3));
    return [[titleOf(variant, record), ...medians]];
  });
  if (rows.length === 0) return [];
  const what =
    reference === "normal"
      ? "a normal distribution of a picture's MOS and the standard deviation of its opinions"
      : "the counts of grades that a picture was given";
  const caption =
    `Predicted distributions against ${what}: mean over the test part, median over the repeats; 0 is equal. ` +
    "Jensen-Shannon divergence in nats, the distance its root; 1-Wasserstein on a range of 1; EMD with r = 2.";
  return [{ kind: "table", headers: ["variant", "JS divergence", "JS distance", "Wasserstein", "EMD"], rows, caption }];
}

import { meanInterval } from "../../metrics/index.ts";
import { type Block, renderPage, type Section } from "../page.ts";
import { agreement } from "../report-figures.ts";
import { capital, dash, dateAndTime, decimals, numberOf, paragraph, sum } from "../report-parts.ts";
import { type DotRow, dotPlot } from "./dot-plot.ts";
import { classAgreement } from "./experiment-classes.ts";
import { pseudoLabelQuality, sweeps, times } from "./experiment-figures.ts";
import type { ExperimentRecord, ExperimentVariant, MeasureName } from "./experiment-record.ts";
import { recipe, runs, variantTable } from "./experiment-runs.ts";
import { spreads } from "./experiment-spread.ts";
import {
  correlationEnds,
  digitsOf,
  measured,
  medianOf,
  minus,
  repeatName,
  resultOf,
  titleOf,
} from "./experiment-values.ts";
import { knowsNetworks, networkCaption, networkCells } from "./network-cells.ts";

const wholeWidth = 1080;

/**
 * An experiment as one HTML page that needs nothing else: what each variant reached over the repeats, what it gained over the
 * baseline with the same seeds, sweeps, pseudo-labels, times, every run, and the recipe. What the record does not have is left out.
 */
export function experimentReport(record: ExperimentRecord): string {
  const sections = [
    ...record.parts.filter((part) => part === "test" || part === "validation").map((part) => results(record, part)),
    networks(record),
    differences(record),
    classAgreement(record),
    stages(record),
    ...sweeps(record),
    crossData(record),
    pseudoLabelQuality(record),
    spreads(record),
    examples(record),
    times(record),
    runs(record),
    variantTable(record),
    recipe(record),
  ];
  return renderPage({
    title: record.title,
    summary: [dateAndTime(record.date), outcome(record)].filter(Boolean).join(". "),
    sections: sections.filter(({ blocks }) => blocks.length > 0),
  });
}

function outcome(record: ExperimentRecord): string {
  const all = record.variants.flatMap(({ runs }) => runs);
  const finished = all.filter(({ status }) => status === "finished").length;
  const { variants, repeats } = record;
  const size = `${variants.length} ${variants.length === 1 ? "variant" : "variants"}, ${repeats.length} ${repeats.length === 1 ? "repeat" : "repeats"} each`;
  const first = variants.find(({ name }) => name === record.baseline);
  const values = first ? measured(first, "test", "srcc").filter(Number.isFinite) : [];
  const reached = values.length
    ? ` ${variants.length > 1 ? `The baseline, ${record.baseline},` : capital(record.baseline)} has a median test SRCC of ${minusSign(decimals(medianOf(values), 3))}.`
    : "";
  return `${size}; ${finished === all.length ? "all runs finished" : `${finished} of ${all.length} runs finished`}.${reached}`;
}

/** Every variant on a part: dots of the repeats, and a table of medians and extremes. */
function results(record: ExperimentRecord, part: string): Section {
  const { variants, repeats, selection } = record;
  const known = variants.filter((variant) => measured(variant, part, "srcc").some(Number.isFinite));
  if (known.length === 0) return { title: "", blocks: [] };
  const rows = known.map((variant): DotRow => {
    const values = measured(variant, part, "srcc");
    return { name: titleOf(variant, record), values, middle: medianOf(values) };
  });
  const svg = dotPlot({
    description: `SRCC on the ${part} part: ${rows.map(({ name, middle }) => `${name} ${decimals(middle, 3)}`).join(", ")}.`,
    x: { label: `SRCC, ${part} part`, ...correlationEnds(rows.flatMap(({ values }) => values)) },
    rows,
    repeats: repeats.map(repeatName),
    width: wholeWidth,
  });
  const range = record.ranges[part] ?? record.range;
  const counts = known.map((variant) => measured(variant, part, "srcc").filter(Number.isFinite).length);
  // A column of equal numbers would only take room.
  const uneven = counts.some((count) => count < repeats.length);
  return {
    title: part === "test" ? "Results on the test part" : "Results on validation",
    blocks: [
      ...(part === "test" ? [paragraph(selection.sentence)] : []),
      { kind: "figure", svg, caption: "SRCC of each repeat (discs) and the median (bar).", wide: true },
      {
        kind: "table",
        headers: ["variant", ...(uneven ? ["repeats"] : []), ...shownMeasures.map((name) => headerOf[name])],
        rows: known.map((variant, i) => [
          titleOf(variant, record),
          ...(uneven ? [counts[i]] : []),
          ...shownMeasures.map((name) => medianAndEnds(measured(variant, part, name), digitsOf(name, range))),
        ]),
        caption: `Median over the repeats, lowest and highest in brackets. Correlations: higher is better; RMSE in MOS units (${range.join(" to ")}) and MAE: lower is better; slope of predicted on true: 1 keeps the scale. "Fitted": after the logistic that was fitted on the part.`,
      },
    ],
  };
}

/** What the networks reach and cost, where that was asked for. */
function networks(record: ExperimentRecord): Section {
  if (!knowsNetworks(record)) return { title: "", blocks: [] };
  const { headers, cells } = networkCells(record);
  return { title: "Networks", blocks: [{ kind: "table", headers, rows: cells, caption: networkCaption }] };
}

const shownMeasures = ["srcc", "plcc", "plccFitted", "krcc", "rmse", "mae", "slope"] as const;
/** On other data sets, whose scale the model does not know. */
const crossMeasures = ["srcc", "plcc", "plccFitted", "krcc", "rmse"] as const;

const headerOf: Record<MeasureName, string> = {
  srcc: "SRCC",
  krcc: "KRCC",
  plcc: "PLCC",
  plccFitted: "PLCC fitted",
  rmse: "RMSE",
  rmseFitted: "RMSE fitted",
  mae: "MAE",
  slope: "slope",
};

function medianAndEnds(values: readonly number[], digits: number): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) return decimals(finite[0], digits);
  const low = finite.reduce((a, b) => Math.min(a, b));
  const high = finite.reduce((a, b) => Math.max(a, b));
  // Held together, so that a narrow cell breaks between median and ends.
  const ends = [low, high].map((end) => minusSign(decimals(end, digits))).join("\u2060–\u2060");
  return `${minusSign(decimals(medianOf(finite), digits))} (${ends})`;
}

/** A minus that does not pass for a dash. */
const minusSign = (text: string) => text.replace("-", "−");

/** Each variant minus the baseline with the same seeds. */
function differences(record: ExperimentRecord): Section {
  const { variants, baseline } = record;
  const base = variants.find(({ name }) => name === baseline);
  const others = variants.filter(({ name }) => name !== baseline);
  const title = `Differences to ${baseline}`;
  if (!base || others.length === 0) return { title, blocks: [] };
  const blocks = (["srcc", "plcc"] as const).flatMap((measure) =>
    paired(record, {
      measure: headerOf[measure],
      rows: others.map((variant) => ({
        name: titleOf(variant, record),
        values: minus(measured(variant, "test", measure), measured(base, "test", measure)),
      })),
      than: baseline,
    }),
  );
  if (blocks.length === 0) return { title, blocks };
  return { title, blocks: [paragraph(intervalNote(others.length)), ...blocks] };
}

/** What stage 2 adds to the same run's stage 1. */
function stages(record: ExperimentRecord): Section {
  const rows = record.variants
    .map((variant) => ({
      name: titleOf(variant, record),
      values: variant.runs.map(
        (run) => numberOf(resultOf(run, "test", 2)?.srcc) - numberOf(resultOf(run, "test", 1)?.srcc),
      ),
    }))
    .filter(({ values }) => values.some(Number.isFinite));
  return { title: "Stage 2 against stage 1", blocks: paired(record, { measure: "SRCC", rows, than: "stage 1" }) };
}

const intervalNote = (comparisons: number) =>
  "Differences between runs with the same seeds. Bars are means, lines their 95 % intervals by Student's t: with few repeats they are wide" +
  (comparisons > 5 ? ", and of twenty that hold 0 in truth one misses it by chance." : ".");

/** Differences as dots by repeat, and as a table with the seeds. */
function paired(
  { repeats }: ExperimentRecord,
  {
    measure,
    rows: all,
    than,
  }: { measure: string; rows: readonly { name: string; values: readonly number[] }[]; than: string },
): Block[] {
  const rows = all
    .map((row) => ({ ...row, interval: meanInterval(row.values.filter(Number.isFinite)) }))
    .filter(({ values }) => values.some(Number.isFinite));
  if (rows.length === 0) return [];
  const svg = dotPlot({
    description: `${measure} minus that of ${than}, by repeat: ${rows.map(({ name, interval }) => `${name} ${signed(interval?.mean)}`).join(", ")}.`,
    x: { label: `${measure} minus ${measure} of ${than}` },
    rows: rows.map(({ name, values, interval }) => ({
      name,
      values,
      ...(interval && { middle: interval.mean, interval: [interval.low, interval.high] as const }),
    })),
    repeats: repeats.map(repeatName),
    reference: 0,
    width: wholeWidth,
  });
  return [
    {
      kind: "figure",
      svg,
      caption: `${measure} minus ${measure} of ${than}; right of the line is better.`,
      wide: true,
    },
    {
      kind: "table",
      headers: ["variant", ...repeats.map(repeatName), "mean", "95 % interval", "better in"],
      rows: rows.map(({ name, values, interval }) => {
        const finite = values.filter(Number.isFinite);
        return [
          name,
          ...values.map(signed),
          signed(sum(finite) / finite.length),
          interval ? `${signed(interval.low)} to ${signed(interval.high)}` : dash,
          `${finite.filter((value) => value > 0).length} of ${finite.length}`,
        ];
      }),
      caption: `${measure} minus ${measure} of ${than}, by repeat.`,
    },
  ];
}

function signed(value: unknown): string {
  const text = decimals(value, 3);
  return numberOf(value) > 0 && Number(text) !== 0 ? `+${text}` : minusSign(text);
}

/** Data sets that no model was trained or fitted on. */
function crossData(record: ExperimentRecord): Section {
  const parts = record.parts.filter((part) => part !== "test" && part !== "validation");
  const rows = parts.flatMap((part) =>
    record.variants
      .filter((variant) => measured(variant, part, "srcc").some(Number.isFinite))
      .map((variant) => {
        const n = resultOf(variant.runs.find((run) => resultOf(run, part))!, part)?.n;
        const range = record.ranges[part] ?? record.range;
        return [
          part,
          titleOf(variant, record),
          decimals(n, 0),
          ...crossMeasures.map((name) => medianAndEnds(measured(variant, part, name), digitsOf(name, range))),
        ];
      }),
  );
  if (rows.length === 0) return { title: "", blocks: [] };
  return {
    title: "Other data sets",
    blocks: [
      paragraph("The final models as they are on other data sets; nothing was refitted. Median, lowest to highest."),
      {
        kind: "table",
        headers: ["data set", "variant", "pictures", ...crossMeasures.map((name) => headerOf[name])],
        rows,
      },
    ],
  };
}

/** Predicted against true scores of the baseline, and of the variant that was chosen or has the highest median. */
function examples(record: ExperimentRecord): Section {
  const { variants, baseline, selection } = record;
  const median = (variant: ExperimentVariant) => numberOf(medianOf(measured(variant, "test", "srcc")));
  const ranked = variants
    .filter((variant) => Number.isFinite(median(variant)))
    .toSorted((a, b) => median(b) - median(a));
  const names = new Set([baseline, selection.chosen ?? ranked[0]?.name]);
  const blocks = variants
    .filter(({ name }) => names.has(name))
    .flatMap((variant) => {
      const run = variant.runs.find(({ predictions }) => predictions?.length);
      if (!run) return [];
      const figures = agreement({
        ...run,
        predictions: run.predictions!,
        range: [record.range[0], record.range[1]],
      }).blocks;
      const last = figures[figures.length - 1];
      return last?.kind === "figure"
        ? [{ ...last, caption: `${titleOf(variant, record)}, ${repeatName(run.repeat)}. ${last.caption}` }]
        : [];
    });
  return { title: "Predicted and true scores of the test part", blocks };
}

import { join } from "node:path";
import sharp from "sharp";
import type { RunRecord } from "../../training/run-record.ts";
import { bars } from "../chart.ts";
import { classTable, constantsSentence } from "../class-table.ts";
import { outcome } from "../outcome.ts";
import { type Block, type Picture, renderPage, type Section } from "../page.ts";
import { agreement, distribution, training } from "../report-figures.ts";
import {
  bytes,
  capital,
  dash,
  dateAndTime,
  decimals,
  duration,
  numberOf,
  paragraph,
  percent,
  resultName,
  sum,
} from "../report-parts.ts";
import { pseudoLabels } from "./pseudo-label-figures.ts";
import { opinions, spread } from "./spread-figures.ts";

type Prediction = RunRecord["predictions"][number];

const picturesInGrid = 6;
const thumbnailSide = 160;

export interface ReportPictures {
  /** Folder that the names of the pictures are taken in, instead of the paths of the record. */
  readonly folder?: string;
  /** Whether small copies of pictures come into the page. @default true */
  readonly thumbnails?: boolean;
}

/** Where a picture of the record is. */
export function picturePath({ name, path }: { name: string; path: string }, { folder }: ReportPictures): string {
  return folder === undefined ? path : join(folder, name);
}

/**
 * A training run as one HTML page that needs nothing else. What the record does not have is left out. Reads the pictures
 * that it shows; one that can no longer be read is left out.
 */
export async function trainingReport(record: RunRecord, options: ReportPictures = {}): Promise<string> {
  const sections = [
    results(record),
    classes(record),
    course(record),
    training(record),
    agreement(record),
    distribution(record),
    pseudoLabels(record),
    spread(record),
    opinions(record),
    ...(options.thumbnails === false ? [] : await grids(record, options)),
    optionTable(record),
  ];
  return renderPage({
    title: record.title,
    summary: [dateAndTime(record.date), outcome(record)].filter(Boolean).join(". "),
    sections: sections.filter(({ blocks }) => blocks.length > 0),
  });
}

function results({ results, range }: RunRecord): Section {
  if (results.length === 0) return { title: "Test results", blocks: [] };
  const digits = mosDigits(range);
  const named = results.map((result) => ({ ...result, name: resultName(result, results) }));
  const rows = named.map(({ name, evaluation: e }) => [
    name,
    decimals(e.n, 0),
    ...[e.srcc, e.krcc, e.plcc, e.plccFitted].map((value) => decimals(value, 3)),
    ...[e.rmse, e.mae].map((value) => decimals(value, digits)),
    decimals(e.slope, 2),
  ]);
  const headers = [
    results.some(({ part }) => part) ? "part" : "test part",
    "n",
    "SRCC",
    "KRCC",
    "PLCC",
    "PLCC fitted",
    "RMSE",
    "MAE",
    "slope",
  ];
  const ends = range.every(Number.isFinite) ? `Scores range from ${range[0]} to ${range[1]}; higher is better. ` : "";
  return {
    title: "Test results",
    blocks: [
      paragraph(
        `${ends}SRCC, KRCC and PLCC: higher is better, at most 1. ` +
          "RMSE and MAE, of the raw predictions in MOS units: lower is better. Slope of predicted on true: 1 keeps the scale, less flattens it.",
      ),
      { kind: "table", headers, rows },
      ...curvesUsed(named).map(paragraph),
    ],
  };
}

/** Of networks that tell classes, the constant predictors beside them. */
function classes({ classes: results = [] }: RunRecord): Section {
  const title = "Classes of the test part";
  if (results.length === 0) return { title, blocks: [] };
  return {
    title,
    blocks: [
      paragraph(
        "Class 0 is the lowest quality. Accuracy, macro-F1 and kappa: higher is better, at most 1. MAE: mean distance from the true class, " +
          "in classes; lower is better. Always answering one class is right in that class and as far from the others as they lie apart.",
      ),
      { kind: "table", ...classTable(results) },
      ...results.map((result) => paragraph(constantsSentence(result))),
    ],
  };
}

/** Which curve PLCC fitted was taken after. */
function curvesUsed(results: RunRecord["results"]): string[] {
  const logistic = results.filter(({ evaluation }) => evaluation.curve === "logistic4").map(({ name }) => name);
  const straight = results.filter(({ evaluation }) => evaluation.curve === "linear");
  return [
    ...(logistic.length
      ? [
          `PLCC fitted is taken after the VQEG logistic of four parameters, fitted on the same pictures: ${logistic.join(", ")}.`,
        ]
      : []),
    ...straight.map(({ name, evaluation: { curveReason } }) => {
      return `PLCC fitted is taken after a straight line instead of the logistic for ${name}${curveReason ? `: ${curveReason}` : ""}.`;
    }),
  ];
}

/** What most of the peak of the memory was used for; older records do not say. */
function largestOwners({ peakDeviceOwners = [] }: RunRecord): string[] {
  return peakDeviceOwners.slice(0, 5).map((use) => `${use.owner} ${bytes(use.bytes)}`);
}

/** What parts are called that a record has when there are any. */
const partWords: Readonly<Record<string, string>> = {
  pseudoLabelled: "labelled by another model",
  ranked: "ranked sets of degraded copies",
};

function course(record: RunRecord): Section {
  const { hardware, command, parts, phases, notes, peakDeviceBytes } = record;
  const facts: [string, string][] = [
    ["command", command],
    ["adapter", hardware.adapter],
    ["runtime", hardware.runtime],
    ["platform", [hardware.platform, hardware.cores > 0 && `${hardware.cores} cores`].filter(Boolean).join(", ")],
    [
      "pictures",
      (["labelled", "pseudoLabelled", "ranked", "unlabelled", "validation", "test"] as const)
        .filter((part) => !(part in partWords || part === "validation") || parts[part])
        .map((part) => `${decimals(parts[part], 0)} ${partWords[part] ?? part}`)
        .join(", "),
    ],
    ["peak device memory", [bytes(peakDeviceBytes), ...largestOwners(record)].join(", ")],
  ];
  const rows = facts.filter(([, value]) => value && value !== dash);
  const total = sum(phases.map(({ seconds }) => seconds));
  const times = phases.map(({ name, seconds }) => [name, decimals(seconds, 1), percent(seconds, total)]);
  return {
    title: "Run",
    blocks: [
      { kind: "table", headers: ["what", "value"], rows },
      ...(phases.length
        ? [
            {
              kind: "table" as const,
              headers: ["phase", "seconds", "share"],
              rows: [...times, ["all", decimals(total, 1), percent(total, total)]],
            },
            ...timeFigure(phases),
            paragraph(`All phases together took ${duration(total)}. ${labelStepShare(record)}`.trim()),
          ]
        : []),
      ...notes.map((note) => paragraph(sentence(note))),
    ],
  };
}

/** Bars only where there is something to compare. */
function timeFigure(phases: RunRecord["phases"]): Block[] {
  if (phases.length < 2) return [];
  const svg = bars({
    description: `Seconds of each phase: ${phases.map(({ name, seconds }) => `${name} ${decimals(seconds, 0)}`).join(", ")}.`,
    y: { label: "seconds" },
    categories: phases.map(({ name }) => name),
    series: [{ name: "seconds", values: phases.map(({ seconds }) => numberOf(seconds)) }],
    horizontal: true,
    height: 90 + 34 * phases.length,
  });
  return [{ kind: "figure", svg, caption: "Wall time of each phase." }];
}

function labelStepShare({ phases, refreshes }: RunRecord): string {
  const stageTwo = phases.filter(({ name }) => name.startsWith("stage 2"));
  const whole = sum(stageTwo.map(({ seconds }) => seconds));
  if (refreshes.length === 0 || !(whole > 0)) return "";
  const steps = sum(refreshes.map(({ seconds }) => seconds));
  const features = sum(refreshes.map(({ featureSeconds }) => featureSeconds));
  return (
    `The label step (graph, affinity, propagation) took ${duration(steps)}, ${percent(steps, whole)} of stage 2; ` +
    `the features it needs took ${duration(features)}, ${percent(features, whole)}.`
  );
}

async function grids({ predictions, range }: RunRecord, options: ReportPictures): Promise<Section[]> {
  const digits = mosDigits(range);
  const sorted = predictions
    .filter(({ score }) => !Number.isNaN(numberOf(score)))
    .sort((left, right) => right.score - left.score);
  // With few pictures the two ends would meet: none is shown in both.
  const best = sorted.slice(0, Math.min(picturesInGrid, Math.ceil(sorted.length / 2)));
  const worst = sorted.slice(best.length).slice(-picturesInGrid).reverse();
  const error = ({ score, mos }: Prediction) => Math.abs(score - numberOf(mos));
  const byError = sorted.filter((row) => Number.isFinite(error(row))).sort((left, right) => error(right) - error(left));
  const wrong = byError.slice(0, Math.min(picturesInGrid, Math.ceil(byError.length / 2)));
  const right = byError.slice(wrong.length).slice(-picturesInGrid).reverse();
  const grid = async (title: string, rows: readonly Prediction[]): Promise<Section> => {
    const found = await Promise.all(rows.map((row) => thumbnail(row, digits, options)));
    const pictures = found.filter((picture) => !!picture);
    return { title, blocks: pictures.length ? [{ kind: "pictures", pictures }] : [] };
  };
  const sections = await Promise.all([
    grid("Highest predicted scores", best),
    grid("Lowest predicted scores", worst),
    grid("Largest errors", wrong),
    grid("Smallest errors", right),
  ]);
  const spread = predictions.some((row) => Number.isFinite(numberOf(row.standardDeviation)));
  const note = paragraph(
    `${spread ? "± is one predicted standard deviation; scores" : "Scores"} in MOS units, higher is better.`,
  );
  return sections
    .filter(({ blocks }) => blocks.length > 0)
    .map(({ title, blocks }, i) => ({ title, blocks: i === 0 ? [note, ...blocks] : blocks }));
}

async function thumbnail(row: Prediction, digits: number, options: ReportPictures): Promise<Picture | undefined> {
  const spread = numberOf(row.standardDeviation);
  const predicted = row.score.toFixed(digits) + (Number.isNaN(spread) ? "" : `\u00a0±\u00a0${spread.toFixed(digits)}`);
  const truth = Number.isNaN(numberOf(row.mos)) ? "" : `\ntrue MOS ${row.mos!.toFixed(digits)}`;
  try {
    const picture = sharp(picturePath(row, options), { autoOrient: true }).flatten({ background: "white" });
    const { width, height } = await picture.metadata();
    const small = Math.min(width, height) <= thumbnailSide;
    // A small picture is shown as it is: compression would be one degradation more.
    const data = await (small
      ? picture.png()
      : picture.resize(thumbnailSide, thumbnailSide, { fit: "outside" }).jpeg({ quality: 78 })
    ).toBuffer();
    return {
      data,
      type: small ? "image/png" : "image/jpeg",
      caption: `${row.name}\npredicted ${predicted}${truth}`,
      alternative: row.name,
    };
  } catch {
    return undefined; // moved or deleted since
  }
}

function optionTable({ options }: RunRecord): Section {
  const rows = Object.entries(options).map(([name, value]) => [
    name,
    value === null || value === undefined ? dash : typeof value === "object" ? JSON.stringify(value) : String(value),
  ]);
  return { title: "Options", blocks: rows.length ? [{ kind: "table", headers: ["option", "value"], rows }] : [] };
}

const sentence = (text: string) => capital(text) + (/[.!?]$/.test(text) ? "" : ".");

/** Decimals of a score: short scales need more. */
const mosDigits = ([low, high]: RunRecord["range"]) => (numberOf(high) - numberOf(low) <= 20 ? 3 : 2);

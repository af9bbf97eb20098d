import { describe, expect, test } from "bun:test";
import { classTables } from "../../../../models/experiments/class-summary.ts";
import type { ExperimentRecord } from "../../../../models/report/experiment/experiment-record.ts";
import { experimentReport } from "../../../../models/report/experiment/experiment-report.ts";
import { measured, medianOf, repeatName } from "../../../../models/report/experiment/experiment-values.ts";
import { sweepsOf } from "../../../../models/report/experiment/sweeps.ts";
import { sampleExperiment } from "./sample-experiment.ts";

const titles = (html: string) => [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);

/** Text of a section. */
const section = (html: string, title: string) => html.split("<h2>").find((part) => part.startsWith(title)) ?? "";

/** Cells of the first table row of a section that starts with a name. */
function cells(html: string, title: string, first: string): string[] | undefined {
  const rows = [...section(html, title).matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell]) => cell!),
  );
  return rows.find((row) => row[0] === first);
}

test("the page says what the record says", () => {
  const record = sampleExperiment();
  const html = experimentReport(record);
  expect(titles(html)).toEqual([
    "Results on the test part",
    "Results on validation",
    "Differences to stage 2",
    "Stage 2 against stage 1",
    "Sweep of gamma",
    "Other data sets",
    "Pseudo-labels",
    "Predicted distributions",
    "Predicted and true scores of the test part",
    "Time",
    "Runs",
    "Variants",
    "Recipe",
  ]);
  expect(html).toContain("6 variants, 3 repeats each; 17 of 18 runs finished.");
  expect(section(html, "Results on the test part")).toContain(record.selection.sentence);

  // Means, medians and differences of the page against the values of the record themselves.
  const [baseline, , , better] = record.variants;
  const values = measured(baseline!, "test", "srcc");
  const row = cells(html, "Results on the test part", "stage 2 (baseline)")!;
  const ends = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(3));
  expect(row.slice(0, 3)).toEqual([
    "stage 2 (baseline)",
    "3",
    `${medianOf(values).toFixed(3)} (${ends.join("\u2060–\u2060")})`,
  ]);
  const paired = measured(better!, "test", "srcc").map((value, i) => value - values[i]!);
  const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
  const difference = cells(html, "Differences", "gamma 0.9\u00a0*")!;
  expect(difference.slice(1, 4)).toEqual(paired.map(signed));
  expect(difference[4]).toBe(signed(paired.reduce((a, b) => a + b) / 3));
  expect(difference.at(-1)).toBe(`${paired.filter((value) => value > 0).length} of 3`);
  expect(cells(html, "Differences", "labels with Gaussian noise of half a grade")!.slice(3, 4)).toEqual(["–"]);

  const ended = baseline!.runs.map(({ results }) => results.filter(({ part }) => part === "test"));
  const gains = ended.map((stages) => stages[1]!.srcc! - stages[0]!.srcc!);
  expect(cells(html, "Stage 2 against", "stage 2 (baseline)")!.slice(1, 4)).toEqual(gains.map(signed));
  expect(section(html, "Stage 2 against")).not.toContain("supervised only");

  expect(cells(html, "Time", "supervised only")).toEqual([
    ...["supervised only", "4 min 50 s", "–", "–", "–", "4 min 50 s"],
  ]);
  expect(cells(html, "Other data sets", "spaq")!.slice(0, 3)).toEqual(["spaq", "stage 2 (baseline)", "60"]);
  expect(cells(html, "Pseudo-labels", "stage 2 (baseline)")!.slice(0, 2)).toEqual(["stage 2 (baseline)", "3"]);
  const errors = baseline!.runs.map(({ reliability }) => reliability!.calibrationError);
  expect(cells(html, "Predicted distributions", "stage 2 (baseline)")!.slice(0, 2)).toEqual([
    "stage 2 (baseline)",
    medianOf(errors).toFixed(3),
  ]);
  expect(cells(section(html, "Predicted distributions").split("</table>")[1]!, "", "gamma 0.5")).toEqual([
    ...["gamma 0.5", "0.130", "0.320", "0.120", "0.150"],
  ]);
  expect(section(html, "Runs")).toContain("failed: the loss is NaN");
  expect(cells(html, "Variants", "gamma 0.5")).toEqual(["gamma 0.5", "gamma = 0.5"]);
  expect(section(html, "Recipe")).toContain("&quot;stageTwoEpochs&quot;: 3");
  expect(html.match(/<figure class="chart/g)).toHaveLength(14);
});

test("classes are told beside the constants, and what is to be said of them", () => {
  const run = (predicted: number[], fold: number) =>
    predicted.map((own, i) => ({ name: `${fold}-${i}`, predicted: own, truth: i % 3 }));
  const record = sampleExperiment({ repeats: 2 });
  const tables = classTables(
    ["stage 2", "<other>"].map((name, i) => ({
      ...{ name, classes: 3 },
      runs: [run([0, 1, 2 - i], 1), run([i, 2, 2], 2)],
    })),
    "stage 2",
  );
  const page = experimentReport({ ...record, classTables: tables });
  expect(page).toContain("Classes of the test part");
  expect(page).toContain("always 1 (best constant)");
  expect(page).toContain("&lt;other&gt; beats every constant predictor: MAE 0.500 over 6 pictures against 0.667");
  expect(page).toContain("+0.333 (\u22120.209 to +0.875)");
  expect(experimentReport(record)).not.toContain("Classes of the test part");
});

test("nothing outside the page is asked for, and texts stay texts", () => {
  const poison = `"><script>alert(1)</script><img src=https://example.invalid/x>`;
  const html = experimentReport(sampleExperiment({ text: poison }));
  expect(html).not.toMatch(/<script|<img/);
  expect(experimentReport(sampleExperiment())).not.toMatch(/https?:\/\//);
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(address).toMatch(/^#/);
});

test("what is missing is left out: runs, repeats, truth, further parts", () => {
  const whole = sampleExperiment({ repeats: 1 });
  const html = experimentReport(whole);
  expect(html).toContain("1 repeat each; all runs finished.");
  expect(cells(html, "Differences", "gamma 0.5")!.slice(-2, -1)).toEqual(["–"]);
  expect(html).not.toMatch(/NaN(?! *<)|undefined|null/);

  const none: ExperimentRecord = {
    ...whole,
    parts: ["test"],
    variants: whole.variants.slice(0, 1).map(({ name, changes, settings, seconds }) => ({
      ...{ name, changes, settings, seconds, summary: [] },
      runs: [
        {
          repeat: { split: 4, training: 9 },
          status: "missing",
          parts: { labelled: 10, unlabelled: 30, validation: 0, test: 10 },
          ...{ trainings: [], results: [], phases: [], losses: [], refreshes: [], notes: [] },
        },
      ],
    })),
  };
  const bare = experimentReport(none);
  expect(titles(bare)).toEqual(["Runs", "Variants", "Recipe"]);
  expect(bare).toContain("0 of 1 runs finished.");
  expect(cells(bare, "Runs", "stage 2")!.slice(0, 4)).toEqual([
    ...["stage 2", "split 4, training 9", "missing", "10 / 30 / 10"],
  ]);

  const spoiled = JSON.parse(
    JSON.stringify(sampleExperiment(), (_, value: unknown) =>
      typeof value === "number" && !Number.isInteger(value) ? Number.NaN : value,
    ),
  );
  expect(experimentReport(spoiled)).not.toMatch(/NaN(?!<)|Infinity/);
});

test("many repeats lose their colours, not their dots", () => {
  const record = sampleExperiment({ repeats: 10 });
  const html = experimentReport(record);
  const first = section(html, "Results on the test part").split("</figure>")[0]!;
  expect(first.match(/fill="var\(--chart-0\)" fill-opacity="0.85"/g)).toHaveLength(6 * 10 - 1);
  expect(first).not.toContain("seed 10");
  expect(section(html, "Differences")).toContain('<th scope="col" class="number">seed 10</th>');
});

describe("sweeps", () => {
  const record = sampleExperiment();
  const swept = (given: ExperimentRecord) =>
    sweepsOf(given).map(({ setting, lines }) => [
      setting,
      lines.map(({ context, points }) => [context, points.map(({ value }) => value)]),
    ]);

  test("variants that differ in one number alone, in order of it", () => {
    expect(swept(record)).toEqual([["gamma", [["", [0.5, 0.9, 0.99]]]]]);
  });

  test("an axis of the grid counts from two values on, with a line for each combination of the others", () => {
    const [first] = record.variants;
    const at = (settings: Record<string, unknown>, i: number) => ({
      ...first!,
      name: `variant ${i}`,
      settings: { ...first!.settings, ...settings },
    });
    const points = [0.5, 0.99].flatMap((gamma) => [0, 0.5].map((sd) => ({ gamma, labelNoise: { mean: 0, sd } })));
    const variants = points.map(at);
    const grid = { gamma: [0.5, 0.99], labelNoise: [] };
    expect(swept({ ...record, variants, baseline: "variant 2", recipe: { grid } })).toEqual([
      [
        "gamma",
        [
          ["", [0.5, 0.99]],
          ["labelNoise.sd 0.5", [0.5, 0.99]],
        ],
      ],
    ]);
    expect(swept({ ...record, variants, recipe: {} })).toEqual([]);
  });
});

test("repeats are named by their seeds", () => {
  expect(repeatName({ split: 3, training: 3 })).toBe("seed 3");
  expect(repeatName({ split: 3, training: 1 })).toBe("split 3, training 1");
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { trainingReport } from "../../../../models/report/training/training-report.ts";
import type { RunRecord } from "../../../../models/training/run-record.ts";
import { cells, empty, plausible, testPictures, titles } from "./record.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-report-"));
  for (let i = 0; i < testPictures; i++) {
    const background = { r: 10 * i, g: 255 - 10 * i, b: 128 };
    await sharp({ create: { width: 400, height: 300, channels: 3, background } })
      .png()
      .toFile(join(folder, `${i}.png`));
  }
});

afterAll(() => rm(folder, { recursive: true }));

test("the page says what the record says", async () => {
  const record = plausible(folder);
  const html = await trainingReport(record);
  expect(html).toContain("<h1>CPL-IQA on photos</h1>");
  expect(html).toContain("2025-06-01 12:30 UTC. Stage 2 beats stage 1 in test SRCC: ");
  for (const { name, evaluation: e } of record.results.slice(0, 2)) {
    const fixed = [e.srcc, e.krcc, e.plcc, e.plccFitted, e.rmse, e.mae].map((value) => value.toFixed(3));
    expect(cells(html, name)).toEqual([name, "20", ...fixed, e.slope.toFixed(2)]);
  }
  expect(cells(html, "constant predictor")?.slice(1, 6)).toEqual(["20", "–", "–", "–", "–"]);
  expect(html).toContain("Scores range from 1 to 5; higher is better.");
  expect(html).toContain("VQEG logistic of four parameters, fitted on the same pictures: stage 1, stage 2.");
  expect(html).toContain("for constant predictor: the predicted scores are constant.");
  expect(cells(html, "adapter")).toEqual(["adapter", "An Adapter"]);
  expect(cells(html, "command")).toEqual(["command", record.command]);
  expect(cells(html, "pictures")).toEqual(["pictures", "21 labelled, 63 unlabelled, 20 test"]);
  expect(cells(html, "peak device memory")).toEqual(["peak device memory", "1.50 GiB"]);
  expect(cells(html, "stage 2 training")).toEqual(["stage 2 training", "75.0", "50.0 %"]);
  expect(cells(html, "all")).toEqual(["all", "150.0", "100.0 %"]);
  expect(html).toContain("took 5.0 s, 5.0 % of stage 2; the features it needs took 20.0 s, 20.0 %.");
  expect(html).toContain("<p>The head starts fresh.</p>");
  expect(cells(html, "1")).toEqual(["1", "41", "8.3e-7", "yes", "3", "0.432", "2.50", "10.00"]);
  expect(cells(html, "2")).toEqual(["2", "42", "8.3e-7", "no", "3", "0.432", "2.50", "10.00"]);
  expect(html).toContain("1 of 2 solves did not converge");
  expect(html).toContain(">9.88</td>");
  expect(html).toContain(">12.35</td>");
  expect(html).toContain(">0.765</td>");
  expect(html).toContain(">−0.32</td>");
  const [, two] = record.reliability!;
  expect(cells(html.slice(html.indexOf("coverage error")), "stage 2")?.slice(0, 3)).toEqual([
    "stage 2",
    "20",
    two!.calibrationError.toFixed(3),
  ]);
  const opinions = html.slice(html.indexOf("Predicted distributions and opinions</h2>"));
  expect(cells(opinions, "stage 2")).toEqual([
    ...["stage 2", "grades", "20", "0.065 / 0.061", "0.251 / 0.241", "0.042 / 0.039", "0.071 / 0.068"],
  ]);
  expect(opinions).toContain("15 pictures have their own, 0.654 on average, which the others take.");
  expect(cells(html, "gamma")).toEqual(["gamma", "0.99"]);
  expect(titles(html)).toEqual([
    "Test results",
    "Run",
    "Training",
    "Predicted and true scores of the test part",
    "Distribution of the test scores",
    "Pseudo-labels",
    "Reliability of the predicted spread",
    "Predicted distributions and opinions",
    "Highest predicted scores",
    "Lowest predicted scores",
    "Largest errors",
    "Smallest errors",
    "Options",
  ]);
  expect(html.match(/<svg /g)).toHaveLength(16);
});

test("figures of the steps have a course of their own, under the name of their phase", async () => {
  const own = plausible(folder);
  const losses = own.losses.slice(0, 100).map((entry, i) => ({ ...entry, figures: { "share taken": i / 100 } }));
  const phases = [{ name: "FixMatch training", seconds: 50 }];
  const page = await trainingReport({ ...own, losses, phases, refreshes: [] }, { thumbnails: false });
  expect(page).toContain("Loss of FixMatch: each of 100 steps");
  expect(page).toContain("Share taken, FixMatch: each of 100 steps");
  expect(page).toContain("mean of the first epoch 0.245, of the last 0.745");
});

test("nothing outside the page is asked for", async () => {
  const html = await trainingReport(plausible(folder));
  expect(html).not.toMatch(/https?:\/\//);
  for (const [, source] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(source).toMatch(/^(data:image\/jpeg|#)/);
});

test("thumbnails are small, in order of the score, and lost pictures are left out", async () => {
  const record = plausible(folder);
  const sorted = [...record.predictions].sort((left, right) => right.score - left.score);
  const [best] = sorted;
  record.predictions.find(({ name }) => name === sorted[1]!.name)!.path = join(folder, "lost.png");
  const html = await trainingReport(record);
  const [highest, lowest, largest] = html
    .split("<h2>")
    .filter((section) => /^(Highest|Lowest|Largest)/.test(section))
    .map((section) => [...section.matchAll(/alt="picture &lt;(\d+)&gt;"/g)].map(([, index]) => Number(index)));
  const index = ({ name }: { name: string }) => Number(/\d+/.exec(name)![0]);
  expect(highest).toEqual([0, 2, 3, 4, 5].map((at) => index(sorted[at]!)));
  expect(lowest).toEqual(sorted.slice(-6).reverse().map(index));
  expect(largest!.length).toBeGreaterThanOrEqual(5);
  const { score, standardDeviation, mos } = best!;
  expect(html).toContain(
    `predicted ${score.toFixed(3)}\u00a0±\u00a0${standardDeviation!.toFixed(3)}\ntrue MOS ${mos!.toFixed(3)}</figcaption>`,
  );
  const data = /src="data:image\/jpeg;base64,([^"]*)"/.exec(html)![1]!;
  const { width, height } = await sharp(Buffer.from(data, "base64")).metadata();
  expect([width, height]).toEqual([213, 160]);
});

test("what the record does not have is left out", async () => {
  const bare = await trainingReport(empty);
  expect(titles(bare)).toEqual(["Run"]);
  expect(bare).not.toMatch(/NaN|undefined|null|Invalid/);

  const record = plausible(folder);
  const alone = await trainingReport({
    ...record,
    losses: record.losses.filter(({ stage }) => stage === 1).slice(0, 5),
    refreshes: [],
    pseudoLabels: [],
    results: record.results.slice(0, 1),
    predictions: record.predictions.map(({ stageOne, ...row }) => ({ ...row, stageOne, score: stageOne! })),
  });
  expect(titles(alone)).not.toContain("Pseudo-labels");
  expect(alone).not.toContain("predicted by stage 2");
  expect(alone).not.toContain("label step (graph");

  const unrated = await trainingReport({
    ...record,
    results: [],
    refreshes: record.refreshes.map(({ quality: _, ...refresh }) => refresh),
    pseudoLabels: record.pseudoLabels.map(({ mos: _, ...row }) => row),
    predictions: record.predictions.map(({ mos: _, ...row }) => row),
  });
  expect(titles(unrated)).not.toContain("Largest errors");
  expect(unrated).toContain("Scores of the test part, predicted: 20 pictures.");
  expect(unrated).not.toContain("true (bars)");
  expect(unrated).not.toContain("true MOS");
});

test("numbers that are not defined, as JSON leaves them, do no harm", async () => {
  const record = plausible(folder);
  const spoil = (_: string, value: unknown) => (typeof value === "number" ? Number.NaN : value);
  for (const whole of [record, { ...record, predictions: record.predictions.slice(0, 1) }]) {
    const html = await trainingReport(JSON.parse(JSON.stringify(whole, spoil)) as RunRecord);
    expect(html.replace(/base64,[^"]*/g, "")).not.toMatch(/NaN|\bnull\b|Infinity/);
  }
  const single = await trainingReport({ ...record, predictions: record.predictions.slice(0, 1) });
  expect(single).toContain("Scores of the test part, true (bars) and predicted (line): 1 picture.");
});

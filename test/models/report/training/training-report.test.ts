import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { evaluate, reliability } from "../../../../models/metrics/index.ts";
import { trainingReport } from "../../../../models/report/training/training-report.ts";
import { classResult } from "../../../../models/training/class-results.ts";
import type { RunRecord } from "../../../../models/training/run-record.ts";

const testPictures = 20;
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

const wave = (i: number) => Math.sin(7.3 * i + 1);

function plausible(): RunRecord {
  const predictions = Array.from({ length: testPictures }, (_, i) => ({
    name: `picture <${i}>`,
    path: join(folder, `${i}.png`),
    mos: 1.2 + 0.18 * i,
    stageOne: 1.4 + 0.15 * i + 0.9 * wave(i),
    score: 1.3 + 0.16 * i + 0.3 * wave(i + 50),
    standardDeviation: 0.4 + 0.05 * wave(i),
    confidence: 0.5 + 0.1 * wave(i),
    shareBelow: 0.5 + 0.45 * wave(i + 9),
  }));
  const mos = predictions.map((row) => row.mos);
  const evaluated = (name: string, scores: number[]) => ({ name, evaluation: evaluate(scores, mos) });
  return {
    title: "CPL-IQA on photos",
    command: "acutance train cpl --data photos --csv mos.csv",
    date: "2025-06-01T12:30:11.000Z",
    hardware: { runtime: "bun-webgpu", adapter: "An Adapter", cores: 16, platform: "linux x64" },
    options: { backbone: "resnet18", gamma: 0.99, flip: true },
    range: [1, 5],
    parts: { labelled: 21, unlabelled: 63, test: testPictures },
    phases: [
      { name: "stage 1 training", seconds: 50 },
      { name: "stage 2 features", seconds: 20 },
      { name: "stage 2 label step", seconds: 5 },
      { name: "stage 2 training", seconds: 75 },
    ],
    losses: ([1, 2] as const).flatMap((stage) =>
      Array.from({ length: 100 }, (_, i) => ({
        stage,
        epoch: Math.floor(i / 50),
        step: i % 50,
        loss: 4 - i / 50 + 0.1 * wave(i),
      })),
    ),
    refreshes: [0, 1].map((epoch) => ({
      epoch,
      seconds: 2.5,
      featureSeconds: 10,
      iterations: 41 + epoch,
      residual: 8.31e-7,
      converged: epoch === 0,
      unreachable: 3,
      meanConfidence: 0.4321,
      quality: { n: 63, mae: 9.876, rmse: 12.345, srcc: 0.7654, slope: 0.5432, confidenceSrcc: -0.321 },
    })),
    pseudoLabels: Array.from({ length: 63 }, (_, i) => ({
      name: `unlabelled ${i}`,
      pseudo: 3 + wave(i),
      confidence: 0.5,
      mos: 3 + 1.2 * wave(i + 0.1),
    })),
    results: [
      evaluated(
        "stage 1",
        predictions.map((row) => row.stageOne),
      ),
      evaluated(
        "stage 2",
        predictions.map((row) => row.score),
      ),
      evaluated(
        "constant predictor",
        mos.map(() => 3),
      ),
    ],
    predictions,
    reliability: ["stage 1", "stage 2"].map((name) => ({
      name,
      ...reliability(predictions.map((row) => ({ ...row, score: name === "stage 1" ? row.stageOne : row.score }))),
    })),
    distributions: (["histogram", "normal"] as const).map((reference, i) => ({
      name: "stage 2",
      reference,
      n: testPictures - i,
      jensenShannon: { mean: 0.0651, median: 0.0612 },
      jensenShannonDistance: { mean: 0.2511, median: 0.2412 },
      wasserstein: { mean: 0.0421, median: 0.0388 },
      emd: { mean: 0.0713, median: 0.0677 },
      ...(reference === "normal" && { deviation: { given: 15, mean: 0.6543 } }),
    })),
    peakDeviceBytes: 1.5 * 2 ** 30,
    notes: ["the head starts fresh"],
  };
}

const empty: RunRecord = {
  title: "nothing",
  command: "",
  date: "",
  hardware: { runtime: "", adapter: "", cores: 0, platform: "" },
  options: {},
  range: [0, 100],
  parts: { labelled: 0, unlabelled: 0, test: 0 },
  phases: [],
  losses: [],
  refreshes: [],
  pseudoLabels: [],
  results: [],
  predictions: [],
  peakDeviceBytes: 0,
  notes: [],
};

/** Cells of the table row that starts with a name. */
function cells(html: string, first: string): string[] | undefined {
  const rows = [...html.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<td[^>]*>(.*?)<\/td>/g)].map(([, cell]) => cell!),
  );
  return rows.find((row) => row[0] === first);
}

const titles = (html: string) => [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);

test("classes are shown beside every constant, and the page says which of them is as good", async () => {
  const own = [0, 1, 1, 2, 2, 2, 2, 3, 3, 4];
  const options = { classes: 5, range: [0, 5], labelled: [2.5, 2.5, 3.5] } as const;
  const result = (name: string, predicted: number[]) =>
    classResult(
      name,
      own.map((c, i) => ({ class: predicted[i]!, score: 0.5 + 0.9 * predicted[i]!, mos: c + 0.5 })),
      options,
    )!;
  const classes = [
    result("stage 1", [2, 0, 0, 1, 1, 2, 2, 3, 3, 2]),
    result("stage 2", [0, 1, 1, 2, 2, 2, 2, 3, 3, 4]),
  ];
  // As a record is read from its file: NaN is null.
  const html = await trainingReport(JSON.parse(JSON.stringify({ ...empty, classes })));
  const page = html.slice(html.indexOf("Classes of the test part</h2>"));
  for (const title of ["always 0", "always 2 (most labelled)", "always 4"]) expect(page).toContain(title);
  const constants = (...values: number[]) => values.map((value) => value.toFixed(3));
  expect(cells(page, "MAE")).toEqual(["MAE", "10", "0.800", "0.000", ...constants(2, 1.2, 0.8, 1.2, 2)]);
  // The expectation is a tenth of the class below it.
  expect(cells(page, "MAE of the expectation")?.slice(0, 6)).toEqual([
    ...["MAE of the expectation", "10", "0.920", "0.200", ...constants(2, 1.2)],
  ]);
  expect(cells(page, "MAE, class 0")).toEqual(["MAE, class 0", "1", "2.000", "0.000", ...constants(0, 1, 2, 3, 4)]);
  expect(cells(page, "MAE, classes 3 and 4 together")?.slice(0, 4)).toEqual([
    ...["MAE, classes 3 and 4 together", "3", "0.667", "0.000"],
  ]);
  expect(cells(page, "accuracy")?.slice(2, 4)).toEqual(["0.400", "1.000"]);
  expect(page).toContain(
    "Stage 1 does not beat always answering class 2: MAE 0.800 over 10 pictures against 0.800. " +
      "A constant is at least as good in class 0 (always 1: 1.000 against 2.000), class 1 (always 0: 1.000 against 1.000), " +
      "class 4 (always 3: 1.000 against 2.000), classes 3 and 4 together (always 3: 0.333 against 0.667).",
  );
  expect(page).toContain(
    "Stage 2 beats every constant predictor: MAE 0.000 over 10 pictures against 0.800 of always answering class 2. " +
      "In no class is the constant of another as good.",
  );
  expect(titles(await trainingReport(plausible()))).not.toContain("Classes of the test part");
});

test("of many classes the best constant and that of the most frequent class are shown", async () => {
  const pictures = [0, 3, 3, 11].map((mos) => ({ class: 5, mos: mos + 0.5 }));
  const classes = [classResult("stage 1", pictures, { classes: 12, range: [0, 12], labelled: [9.5] })!];
  const html = await trainingReport({ ...empty, classes });
  expect([...html.matchAll(/always \d+( \(most labelled\))?<\/th>/g)].map(([text]) => text)).toEqual([
    "always 3</th>",
    "always 9 (most labelled)</th>",
  ]);
});

test("the page says what the record says", async () => {
  const record = plausible();
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
  const own = plausible();
  const losses = own.losses.slice(0, 100).map((entry, i) => ({ ...entry, figures: { "share taken": i / 100 } }));
  const phases = [{ name: "FixMatch training", seconds: 50 }];
  const page = await trainingReport({ ...own, losses, phases, refreshes: [] }, { thumbnails: false });
  expect(page).toContain("Loss of FixMatch: each of 100 steps");
  expect(page).toContain("Share taken, FixMatch: each of 100 steps");
  expect(page).toContain("mean of the first epoch 0.245, of the last 0.745");
});

test("nothing outside the page is asked for", async () => {
  const html = await trainingReport(plausible());
  expect(html).not.toMatch(/https?:\/\//);
  for (const [, source] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(source).toMatch(/^(data:image\/jpeg|#)/);
});

test("thumbnails are small, in order of the score, and lost pictures are left out", async () => {
  const record = plausible();
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

test("the outcome is said plainly", async () => {
  const record = plausible();
  const [one, two, constant] = record.results.map(({ evaluation }) => evaluation);
  const summary = async (results: RunRecord["results"], comparison?: RunRecord["comparison"]) =>
    /<p class="summary">(.*?)<\/p>/.exec(
      await trainingReport({ ...empty, results, ...(comparison && { comparison }) }),
    )![1];
  const stages = [
    { name: "stage 1", evaluation: { ...one!, srcc: 0.81234 } },
    { name: "stage 2", evaluation: { ...two!, srcc: 0.8119 } },
  ];
  const numbers = "Stage 2 does not beat stage 1 in test SRCC: 0.8119 against 0.8123, on 20 pictures";
  expect(await summary(stages)).toBe(`${numbers}.`);
  const comparison = { before: 0.81234, after: 0.8119, difference: -0.00044, pictures: 20, groups: 20 };
  expect(await summary(stages, { ...comparison, interval: [-0.01, 0.0021] })).toBe(
    `${numbers}; a difference of −0.0004 (95 % −0.0100 to 0.0021, by drawing pictures anew), so small a difference may be chance.`,
  );
  expect(await summary(stages, { ...comparison, groups: 5, interval: [-0.01, -0.0001] })).toBe(
    `${numbers}; a difference of −0.0004 (95 % −0.0100 to −0.0001, by drawing 5 groups anew).`,
  );
  expect(await summary([{ name: "stage 1", evaluation: { ...one!, srcc: 0.8 } }])).toBe(
    "Stage 1 reaches a test SRCC of 0.800 on 20 pictures; there is no test of stage 2 to compare it with.",
  );
  expect(
    await summary([
      { name: "stage 1", evaluation: one! },
      { name: "stage 2", evaluation: constant! },
    ]),
  ).toBe("The stages cannot be compared: the test SRCC of stage 2 is undefined.");
  expect(await summary([])).toBe("There are no test results.");
});

test("ranked copies are counted beside labelled pictures, and equal stages from worse ones", async () => {
  const record = plausible();
  const [one] = record.results;
  const html = await trainingReport({
    ...record,
    parts: { ...record.parts, ranked: 12 },
    results: [one!, { ...one!, name: "stage 2" }],
  });
  expect(cells(html, "pictures")![1]).toBe("21 labelled, 12 ranked sets of degraded copies, 63 unlabelled, 20 test");
  expect(html).toContain(`Stage 2 and stage 1 have one test SRCC, ${one!.evaluation.srcc.toFixed(3)}, on 20 pictures.`);
});

test("a validation part is named beside the test part", async () => {
  const record = plausible();
  const [one] = record.results;
  const html = await trainingReport({
    ...record,
    parts: { ...record.parts, validation: 7 },
    results: [...record.results, { name: "stage 1, validation", part: "validation", evaluation: one!.evaluation }],
  });
  expect(cells(html, "pictures")).toEqual(["pictures", "21 labelled, 63 unlabelled, 7 validation, 20 test"]);
  expect(cells(html, "stage 1, validation")?.[1]).toBe("20");
  expect(cells(html, "stage 1, test")?.[1]).toBe("20");
  expect(html).toContain("of the test and the validation part at the end of each stage");
  expect(html).toContain("Stage 2 beats stage 1 in test SRCC");
});

test("own predictions stand beside propagated labels, by epoch", async () => {
  const record = plausible();
  const of = (srcc: number, mae: number) => ({ n: 63, mae, rmse: 14.25, srcc, plcc: 0.611, slope: 0.25 });
  const refreshes = record.refreshes.map((refresh, i) => ({
    ...refresh,
    propagated: of(0.512 + i / 100, 11.25),
    own: of(0.634 + i / 100, 10.5),
  }));
  const html = await trainingReport({ ...record, refreshes });
  for (const cell of ["propagated labels", "own predictions", "0.512", "0.522", "0.634", "0.644", "0.611", "11.25"])
    expect(html).toContain(`>${cell}<`);
  expect(html).toMatch(/SRCC of propagated labels and of the network\S+ own predictions by epoch/);
  expect(html).toContain("MAE of both sources before each epoch; lower is better.");
  // Of one refresh there are no curves, and of records of earlier versions nothing.
  const single = await trainingReport({ ...record, refreshes: refreshes.slice(0, 1) });
  expect(single).toContain(">own predictions<");
  expect(single).not.toContain("MAE of both sources");
  expect(await trainingReport(record)).not.toContain("own predictions");
});

test("regressions are told with what they chose and how labelled pictures fare that are left out", async () => {
  const { quality } = plausible().refreshes[0]!;
  const one = { epoch: 0, seconds: 1.25, featureSeconds: 20.5, ridge: 0.03, meanConfidence: 0.412 };
  const leftOut = { n: 90, mae: 11.53, srcc: 0.634 };
  const page = async (regressions: RunRecord["regressions"]) =>
    trainingReport({ ...plausible(), refreshes: [], regressions: regressions! });
  const html = await page([{ ...one, width: 2, leftOut, ...(quality && { quality }) }]);
  expect(titles(html)).toContain("Pseudo-labels");
  for (const cell of ["11.53", "0.634", "0.412", "20.50"]) expect(html).toContain(`>${cell}<`);
  expect(html).toContain("SRCC of confidence and error");
  expect(html).not.toContain("unreachable");
  // With the kernel linear, and labels that are all the same.
  const linear = await page([{ ...one, leftOut: { ...leftOut, srcc: Number.NaN } }]);
  expect(linear).toContain(">none<");
  expect(linear).not.toMatch(/NaN|undefined/);
});

test("what the record does not have is left out", async () => {
  const bare = await trainingReport(empty);
  expect(titles(bare)).toEqual(["Run"]);
  expect(bare).not.toMatch(/NaN|undefined|null|Invalid/);

  const record = plausible();
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
  const record = plausible();
  const spoil = (_: string, value: unknown) => (typeof value === "number" ? Number.NaN : value);
  for (const whole of [record, { ...record, predictions: record.predictions.slice(0, 1) }]) {
    const html = await trainingReport(JSON.parse(JSON.stringify(whole, spoil)) as RunRecord);
    expect(html.replace(/base64,[^"]*/g, "")).not.toMatch(/NaN|\bnull\b|Infinity/);
  }
  const single = await trainingReport({ ...record, predictions: record.predictions.slice(0, 1) });
  expect(single).toContain("Scores of the test part, true (bars) and predicted (line): 1 picture.");
});

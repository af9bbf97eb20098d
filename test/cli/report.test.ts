import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluate, reliability } from "../../models/metrics/index.ts";
import type { RunRecord } from "../../models/training/run-record.ts";
import { sampleExperiment } from "../models/report/experiment/sample-experiment.ts";
import { blurredPictures } from "../models/training/pictures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
let folder = "";

function acutance(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: "utf8" });
  return { status, out: stdout, err: stderr };
}

async function recordOf(): Promise<RunRecord> {
  const rows = await blurredPictures(join(folder, "pictures"), 12);
  const predictions = rows.map(({ name, mos }, i) => ({
    name,
    path: join("pictures", name),
    mos,
    score: 20 + 0.6 * mos + 5 * Math.sin(i),
    standardDeviation: 8 + i,
    confidence: 0.5 - 0.02 * i,
    shareBelow: (i + 0.5) / 12,
  }));
  const evaluation = evaluate(
    predictions.map(({ score }) => score),
    predictions.map(({ mos }) => mos),
  );
  return {
    title: "CPL-IQA on pictures",
    command: "acutance train cpl",
    date: "2025-06-01T12:30:11.000Z",
    hardware: { runtime: "Bun", adapter: "An Adapter", cores: 2, platform: "linux x64" },
    options: { gamma: 0.99 },
    range: [0, 100],
    parts: { labelled: 12, unlabelled: 36, test: 12 },
    phases: [{ name: "stage 1 training", seconds: 5 }],
    losses: [{ stage: 1, epoch: 0, step: 0, loss: 3 }],
    refreshes: [],
    pseudoLabels: [],
    results: [{ name: "stage 1", evaluation }],
    predictions,
    reliability: [{ name: "stage 1", ...reliability(predictions) }],
    peakDeviceBytes: 2 ** 20,
    notes: [],
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-report-command-"));
  for (const name of ["run", "experiment", "both", "empty"]) await mkdir(join(folder, name));
  const record = JSON.stringify(await recordOf());
  for (const name of ["run", "both"]) await writeFile(join(folder, name, "run.json"), record);
  const experiment = JSON.stringify(sampleExperiment());
  for (const name of ["experiment", "both"]) await writeFile(join(folder, name, "experiment.json"), experiment);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const page = (path: string) => readFile(join(folder, path), "utf8");
const pictures = (html: string) => html.match(/<img /g)?.length ?? 0;

describe("acutance report", () => {
  test("makes the page of a run again, beside its record, with its pictures", async () => {
    const { status, out, err } = acutance("report", "run");
    expect({ status, out, err }).toEqual({ status: 0, out: "report: run/report.html\n", err: "" });
    const html = await page("run/report.html");
    expect(html).toContain("<h1>CPL-IQA on pictures</h1>");
    expect(html).toContain("Reliability of the predicted spread");
    expect(pictures(html)).toBe(24);
  });

  test("finds pictures in another folder, says when they are gone, and leaves them out on request", async () => {
    await rename(join(folder, "pictures"), join(folder, "moved"));
    const gone = acutance("report", "run/run.json", "--out", "gone.html");
    expect(gone.status).toBe(0);
    expect(gone.err).toContain("12 of 12 pictures of the test part are not there, such as pictures/0.png");
    expect(gone.err).toContain("--pictures");
    expect(pictures(await page("gone.html"))).toBe(0);
    const found = acutance("report", "run", "--pictures", "moved", "--out", "found.html");
    expect(found.err).toBe("");
    expect(pictures(await page("found.html"))).toBe(24);
    const bare = acutance("report", "run", "--no-pictures", "--out", "bare.html");
    expect(bare.err).toBe("");
    expect(pictures(await page("bare.html"))).toBe(0);
    await rename(join(folder, "moved"), join(folder, "pictures"));
  });

  test("makes the page of an experiment, from its folder or its file", async () => {
    expect(acutance("report", "experiment").out).toBe("report: experiment/experiment.html\n");
    expect(acutance("report", "both/experiment.json", "--out", "both.html").status).toBe(0);
    const html = await page("both.html");
    expect(html).toContain("Differences to stage 2");
    expect(html).toBe(await page("experiment/experiment.html"));
  });

  test("says what is wrong with what it was given", async () => {
    await writeFile(join(folder, "broken.json"), "{");
    await writeFile(join(folder, "other.json"), JSON.stringify({ title: "a", losses: [] }));
    const lacking = { ...sampleExperiment(), variants: [{ name: "a" }], selection: undefined };
    await writeFile(join(folder, "lacking.json"), JSON.stringify(lacking));
    const error = (...args: string[]) => {
      const { status, err } = acutance("report", ...args);
      expect(status).toBe(1);
      return err;
    };
    expect(error("nowhere")).toContain("there is no file or folder nowhere");
    expect(error("empty")).toContain("empty holds neither run.json nor experiment.json");
    expect(error("both")).toContain("both holds run.json and experiment.json");
    expect(error("broken.json")).toContain("broken.json is no JSON");
    const other = error("other.json");
    expect(other).toContain("other.json is no record of a training run: command:");
    expect(other).toContain("the run.json that `acutance train`");
    expect(error("lacking.json")).toContain("lacking.json is no record of an experiment: variants.0.changes:");
    expect(acutance("report").status).toBe(2);
  });
});

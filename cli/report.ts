import { access } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { pageOf, readRecord } from "../models/report/read-record.ts";
import type { RunRecord } from "../models/training/run-record.ts";
import { outputFile } from "./output.ts";

interface ReportFlags {
  readonly out?: string;
  /** False for `--no-pictures`. */
  readonly pictures: boolean | string;
}

export function register(program: Command): void {
  program
    .command("report")
    .description("write the page of a training run or an experiment again, from its record")
    .argument("<record>", "run.json, experiment.json, or the folder that holds one")
    .option("--out <file>", "the page (default: report.html or experiment.html beside the record)")
    .option("--pictures <folder>", "folder of the pictures, when they are no longer where the record says")
    .option("--no-pictures", "leave small copies of pictures out of the page")
    .addHelpText("after", examples)
    .action(run);
}

const examples = `
Examples:
  acutance report runs/cpl
  acutance report runs/cpl/run.json --pictures photos --out page.html
  acutance report runs/cpl --no-pictures        a page to pass on, without copies of the pictures`;

async function run(given: string, flags: ReportFlags): Promise<void> {
  const opened = await readRecord(given);
  const out = flags.out ?? join(dirname(opened.path), opened.kind === "run" ? "report.html" : "experiment.html");
  const page = outputFile(out, "--out");
  // The plotting library is large: it is loaded when there is something to plot.
  if (opened.kind === "experiment") {
    const { experimentReport } = await import("../models/report/experiment/experiment-report.ts");
    const { record } = opened;
    page.replace(await pageOf(opened, () => experimentReport(record)));
  } else {
    const { picturePath, trainingReport } = await import("../models/report/training/training-report.ts");
    const pictures = {
      thumbnails: flags.pictures !== false,
      ...(typeof flags.pictures === "string" && { folder: flags.pictures }),
    };
    const { record } = opened;
    page.replace(await pageOf(opened, () => trainingReport(record, pictures)));
    if (pictures.thumbnails) await tellMissing(opened.record, (row) => picturePath(row, pictures));
  }
  console.log(`report: ${out}`);
}

async function tellMissing(
  { predictions }: RunRecord,
  place: (row: RunRecord["predictions"][number]) => string,
): Promise<void> {
  const absent = await Promise.all(
    predictions.map((row) =>
      access(place(row)).then(
        () => undefined,
        () => place(row),
      ),
    ),
  );
  const missing = absent.filter((path) => path !== undefined);
  if (missing.length === 0) return;
  console.error(
    `note: ${missing.length} of ${predictions.length} pictures of the test part are not there, such as ${missing[0]}; ` +
      "the page has no copies of them. Name their folder with --pictures",
  );
}

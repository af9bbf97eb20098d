import type { Command } from "commander";
import {
  type DuplicatePair,
  type Inspection,
  inspect,
  isSound,
  knownSets,
  problemText,
  readSplit,
  type SetDescription,
  type Summary,
} from "../models/data/index.ts";
import { register as registerDegrade } from "./data-degrade.ts";
import { register as registerMeasure } from "./data-measure.ts";
import {
  addDataOptions,
  addDecodingOptions,
  type DataOptions,
  type DecodingOptions,
  decodingOf,
  namesData,
  openDataset,
} from "./data-options.ts";
import { register as registerSheet } from "./data-sheet.ts";
import { outputFile } from "./output.ts";
import { pairs, progress, table } from "./terminal.ts";

interface InspectFlags extends DataOptions, DecodingOptions {
  readonly split?: string;
  readonly html?: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const data = program.command("data").description("data sets: those known by name, what is in one, degraded copies");
  data
    .command("list")
    .description("list the data sets known by name, their scales, and where to get them")
    .option("--json", "print one JSON document")
    .action((flags: { json?: boolean }) => list(flags.json === true));
  registerDegrade(data);
  registerMeasure(data);
  registerSheet(data);
  const command = data
    .command("inspect")
    .description("report scores, missing and broken pictures, groups, and near-duplicates across the split")
    .addHelpText("after", exitCodes);
  addDecodingOptions(addDataOptions(command))
    .option("--split <file>", "split.csv of a training run, instead of the split in the data set")
    .option("--html <file>", "write a page with the score histogram and all lists")
    .option("--json", "print one JSON document")
    .action(async (flags: InspectFlags) => {
      if (!namesData(flags)) {
        command.error("error: --data and --csv are needed (or --data and --dataset)", { exitCode: 2 });
      }
      await run(flags);
    });
}

const exitCodes = `
Near-duplicates are copies, and the same picture re-encoded, resized or brightened; crops and mirrored pictures are not found.
Exit code: 0 when all is well; 1 when a picture is missing or broken, a row has no usable score, or duplicates or groups
are divided by the split; 2 for wrong usage.`;

function list(json: boolean): void {
  const sets = Object.entries(knownSets).map(([name, { read: _, pictureFolders: __, ...set }]) => ({ name, ...set }));
  if (json) console.log(JSON.stringify(sets, null, 2));
  else console.log(sets.map(({ name, ...set }) => pairs(linesOf(name, set))).join("\n\n"));
}

function linesOf(name: string, set: Omit<SetDescription, "read">): [string, string][] {
  const range = set.range ? `${set.range.join(" to ")}, ${set.direction}` : set.direction;
  const lines: [string, string | undefined][] = [
    [name, `${set.title}: ${set.size} pictures`],
    ["  rated", set.rated],
    ["  MOS", set.direction && (set.range ? range : `${range}; ends of the scale not documented`)],
    ["  groups", set.groups],
    ["  split", set.officialSplit],
    ["  files", set.layout],
    ["  from", set.source],
    ["  terms", set.terms],
  ];
  return lines.filter((line): line is [string, string] => line[1] !== undefined);
}

async function run(flags: InspectFlags): Promise<void> {
  const page = flags.html && outputFile(flags.html, "--html");
  const dataset = await openDataset(flags, false);
  const parts = flags.split ? (await readSplit(flags.split)).parts : undefined;
  const bar = progress("inspecting", dataset.rows.length);
  let shownDone = 0;
  let inspection: Inspection;
  try {
    inspection = await inspect(dataset, {
      ...decodingOf(flags),
      ...(parts && { parts }),
      onProgress: (done) => {
        bar.advance(done - shownDone);
        shownDone = done;
      },
    });
  } finally {
    bar.stop();
  }
  const title = flags.dataset ? knownSets[flags.dataset]!.title : flags.data;
  if (page) {
    // The plotting library is large: it is loaded when there is something to plot.
    const { dataReport } = await import("../models/report/data/data-report.ts");
    page.replace(dataReport(title, inspection));
  }
  if (flags.json) console.log(JSON.stringify({ title, sound: isSound(inspection), ...inspection }, null, 2));
  else print(title, inspection);
  if (!isSound(inspection)) process.exitCode = 1;
}

function print(title: string, inspection: Inspection): void {
  const { mos, opinionSd, groups, parts, range, formats, sizes, problems, dividedGroups, leaks, duplicates } =
    inspection;
  const scale = range
    ? `[${range.join(", ")}] (${inspection.rangeSource}), ${inspection.direction}`
    : "nothing is rated";
  const counts = (entries: readonly (readonly [string, number])[]) =>
    entries.map(([what, count]) => `${what} (${count})`).join(", ");
  const rest = sizes.length > 5 ? `, ${sizes.length - 5} other sizes` : "";
  const lines: [string, string][] = [
    ["data set", title],
    ["pictures", `${inspection.pictures}, ${inspection.rated} rated, ${inspection.histograms} with counts of grades`],
    ["MOS scale", scale],
    ...(mos ? [["MOS", figures(mos)] as [string, string]] : []),
    ...(opinionSd ? [["SD of opinions", figures(opinionSd)] as [string, string]] : []),
    ["containers", counts(Object.entries(formats))],
    ["sizes", counts(sizes.slice(0, 5).map(({ size, count }) => [size, count])) + rest],
    ...(groups
      ? [["groups", `${groups.count}, of ${groups.minimum} to ${groups.maximum} pictures`] as [string, string]]
      : []),
    ...(parts ? [["split", counts(Object.entries(parts))] as [string, string]] : []),
  ];
  console.log(pairs(lines));
  if (mos) console.log(`\n${scoreHistogram(inspection.scores, range ?? [mos.minimum, mos.maximum])}`);
  console.log("");
  printList("missing, broken or without a usable score", problems.map(problemText));
  if (parts) printList("groups divided by the split", dividedGroups);
  if (parts) printList("near-duplicates across the split", leaks.map(pairText));
  printList(groups ? "near-duplicates outside a common group" : "near-duplicates", duplicates.map(pairText));
  if (inspection.unlistedPairs) console.log(`${inspection.unlistedPairs} more pairs are not listed`);
}

function figures({ minimum, median, maximum, mean, sd }: Summary): string {
  const [low, middle, high, average, deviation] = [minimum, median, maximum, mean, sd].map((value) => value.toFixed(2));
  return `${low} to ${high}, median ${middle}, mean ${average}, SD ${deviation}`;
}

function pairText({ first, second, parts, same, distance }: DuplicatePair): string {
  const where = parts && parts[0] !== parts[1] ? ` (${parts.join(" / ")})` : "";
  return `${first} = ${second}${where}, ${same === "file" ? "the same file" : `${distance} bits of 128 differ`}`;
}

/** Entries of a list shown at most. */
const shown = 20;

function printList(what: string, entries: readonly string[]): void {
  console.log(`${what}: ${entries.length || "none"}`);
  for (const entry of entries.slice(0, shown)) console.log(`  ${entry}`);
  if (entries.length > shown) console.log(`  and ${entries.length - shown} more; --json lists them`);
}

/** Ten bins over the range, one line each. */
function scoreHistogram(scores: readonly number[], [low, high]: readonly [number, number]): string {
  const bins = 10;
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low) / bins || 1;
  for (const score of scores) counts[Math.min(bins - 1, Math.max(0, Math.floor((score - low) / width)))]!++;
  const most = Math.max(...counts);
  const edge = (bin: number) => Number((low + bin * width).toPrecision(4));
  return table(
    ["MOS", "pictures", ""],
    counts.map((count, bin) => [`${edge(bin)} – ${edge(bin + 1)}`, count, "█".repeat(Math.round((40 * count) / most))]),
  );
}

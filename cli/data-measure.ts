import { type Command, InvalidArgumentError } from "commander";
import { stringify } from "csv-stringify/sync";
import { copyPairs, type MeasuredCopy, measureCopies } from "../models/classic/index.ts";
import { type FullReferenceMeasure, fullReferenceMeasures } from "../models/metrics/index.ts";
import { addDecodingOptions, type DecodingOptions, decodingOf, optionWords, reportLeftOut } from "./data-options.ts";
import { deviceOptions, memoryOption, openCommandDevice } from "./device.ts";
import { interruptible } from "./interrupt.ts";
import { outputFile, standardOutput } from "./output.ts";
import { errorWords } from "./score-words.ts";
import { progress } from "./terminal.ts";

interface MeasureFlags extends DecodingOptions {
  readonly references?: string;
  readonly csv?: string;
  readonly nameColumn?: string;
  readonly referenceColumn?: string;
  readonly measures?: readonly FullReferenceMeasure[];
  readonly out?: string;
  readonly memory?: number;
}

/** Column of each measure. */
const columnOf: Readonly<Record<FullReferenceMeasure, string>> = {
  psnr: "psnr",
  ssim: "ssim",
  msSsim: "ms_ssim",
  gmsd: "gmsd",
  fsim: "fsim",
};
const measureNames = Object.values(columnOf);

export function register(data: Command): void {
  const command = data
    .command("measure")
    .description("measure copies of pictures against their references: PSNR, SSIM, MS-SSIM, GMSD, FSIM, as CSV")
    .argument("<folder>", "the copies: what `acutance data degrade` wrote, or any")
    .option("--references <folder>", "the pictures that they are copies of")
    .option("--csv <file>", "table of copies and their references (default: that of degrade, or else equal names)")
    .option("--name-column <column>", "CSV column of the copies' names, when it is not recognised")
    .option("--reference-column <column>", "CSV column of the references' names, when it is not recognised")
    .option("--measures <names>", `by commas: ${measureNames.join(", ")} (default: all)`, parseMeasures)
    .option("--out <file>", "write the CSV to a file")
    .option(...memoryOption);
  addDecodingOptions(command).addHelpText("after", notes).action(run);
}

const notes = `
PSNR (dB, of R, G and B), SSIM, MS-SSIM and FSIM (luma): higher is better. GMSD (luma): lower is better. What a picture is too small for is left
empty: SSIM needs 11 pixels a side, MS-SSIM 176. So is FSIM of two flat pictures. References are reduced as the copies were. Exit code: 1 when a copy could not be measured.

Example: acutance data degrade photos --out degraded && acutance data measure degraded --references photos --out measures.csv`;

async function run(folder: string, flags: MeasureFlags): Promise<void> {
  const { references, csv, nameColumn, referenceColumn, measures = fullReferenceMeasures } = flags;
  const out = flags.out === undefined ? standardOutput : outputFile(flags.out, "--out");
  const { pairs, ...leftOut } = await copyPairs(folder, {
    ...(references !== undefined && { references }),
    ...(csv !== undefined && { csv }),
    ...(nameColumn !== undefined && { nameColumn }),
    ...(referenceColumn !== undefined && { referenceColumn }),
    words: { ...optionWords, columns: { ...optionWords.columns, group: "--reference-column" } },
  });
  reportLeftOut(leftOut);
  using device = await openCommandDevice(deviceOptions(flags));
  using stop = interruptible("interrupted; what is measured is written");
  const bar = progress("measuring", pairs.length);
  const isGraded = pairs.some(({ kind }) => kind !== undefined);
  const columns = [
    "name",
    "reference",
    ...(isGraded ? ["kind", "level"] : []),
    ...measures.map((name) => columnOf[name]),
  ];
  out.append(`${[...columns, "error"].join(",")}\n`);
  let failed = 0;
  try {
    for await (const measured of measureCopies(device, pairs, {
      ...decodingOf(flags),
      measures,
      signal: stop.signal,
    })) {
      if ("error" in measured) failed++;
      out.append(stringify([rowOf(measured)], { columns: [...columns, "error"] }));
      bar.advance();
    }
  } finally {
    bar.stop();
  }
  if (failed > 0) {
    console.error(`${failed} of ${pairs.length} copies could not be measured`);
    process.exitCode = 1;
  }
}

function rowOf(measured: MeasuredCopy): Record<string, string | number | undefined> {
  const { name, reference, kind, level } = measured.pair;
  if ("error" in measured) return { name, reference, kind, level, error: errorWords(measured.error) };
  const values = Object.entries(measured.measures).map(([measure, value]) => [
    columnOf[measure as FullReferenceMeasure],
    value,
  ]);
  return { name, reference, kind, level, ...Object.fromEntries(values) };
}

function parseMeasures(text: string): FullReferenceMeasure[] {
  return text.split(",").map((word) => {
    const found = fullReferenceMeasures.find((measure) => columnOf[measure] === word.trim());
    if (!found)
      throw new InvalidArgumentError(`there is no measure "${word.trim()}"; choose of ${measureNames.join(", ")}`);
    return found;
  });
}

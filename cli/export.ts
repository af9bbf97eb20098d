import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { openModel, type Precision, precisions, saveModel } from "../models/networks/model.ts";
import { deviceSource } from "./device.ts";
import { outputFile } from "./output.ts";
import { formatBytes } from "./terminal.ts";

interface ExportFlags {
  readonly model: string;
  readonly out: string;
  readonly precision: Precision;
  readonly note: string[];
}

export function register(program: Command): void {
  const command = program
    .command("export")
    .description("write a trained model in half the size, or with notes in its card")
    .requiredOption("--model <file>", "model made by `acutance train`")
    .requiredOption("--out <file>", "safetensors file to write")
    .option("--precision <type>", `element type of convolutions and matrices (${precisions.join(", ")})`, "f16")
    .option("--note <sentence...>", "sentences added to the history in its card, such as data and terms", [])
    .action(async (flags: ExportFlags) => {
      if (!precisions.includes(flags.precision))
        command.error(`error: --precision ${flags.precision}: choose ${precisions.join(" or ")}`, { exitCode: 2 });
      await run(flags);
    });
}

async function run(flags: ExportFlags): Promise<void> {
  outputFile(flags.out, "--out");
  const source = deviceSource({});
  using device = typeof source === "function" ? await source() : source;
  // A note on a missing digest is answered by what is written here.
  const { model, card, companions } = await openModel(device, flags.model);
  const noted = { ...card, history: [...card.history, ...flags.note] };
  await saveModel(flags.out, model, noted, flags.precision, companions);
  const [before, after] = await Promise.all([flags.model, flags.out].map(async (path) => (await stat(path)).size));
  console.log(`${flags.out}: ${formatBytes(after!)} in ${flags.precision}, ${formatBytes(before!)} before`);
  model.dispose();
}

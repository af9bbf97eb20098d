import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { writeFileAtomically } from "../engine/weights/atomic.ts";
import {
  type ModelCard,
  openModel,
  type Precision,
  precisions,
  type QualityNetwork,
  saveModel,
} from "../models/networks/model.ts";
import { exportModel } from "../models/networks/onnx.ts";
import { deviceSource } from "./device.ts";
import { modelOption } from "./model-option.ts";
import { outputFile } from "./output.ts";
import { formatBytes } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

interface ExportFlags {
  readonly model: string;
  readonly out?: string;
  readonly onnx?: string;
  readonly precision: Precision;
  readonly note: string[];
}

export function register(program: Command): void {
  const command = program
    .command("export")
    .description("write a model in half the size, with notes in its card, or in the format of ONNX for other programs")
    .addOption(modelOption())
    .option("--out <file>", "safetensors file to write")
    .option("--onnx <file>", "ONNX file to write: picture in, score out")
    .option("--precision <type>", `element type of convolutions and matrices (${precisions.join(", ")})`, "f16")
    .option("--note <sentence...>", "sentences added to the history in its card, such as data and terms", [])
    .action(async (flags: ExportFlags) => {
      if (!precisions.includes(flags.precision))
        command.error(`error: --precision ${flags.precision}: choose ${precisions.join(" or ")}`, { exitCode: 2 });
      await run(flags);
    });
}

async function run(flags: ExportFlags): Promise<void> {
  if (flags.out === undefined && flags.onnx === undefined)
    throw new UsageError("name what to write: --out FILE for safetensors, --onnx FILE for ONNX");
  if (flags.out !== undefined) outputFile(flags.out, "--out");
  if (flags.onnx !== undefined) outputFile(flags.onnx, "--onnx");
  const source = deviceSource({});
  using device = typeof source === "function" ? await source() : source;
  // A note on a missing digest is answered by what is written here.
  const { model, card, companions } = await openModel(device, flags.model);
  const noted = { ...card, history: [...card.history, ...flags.note] };
  if (flags.out !== undefined) {
    await saveModel(flags.out, model, noted, flags.precision, companions);
    const [before, after] = await Promise.all([flags.model, flags.out].map(async (path) => (await stat(path)).size));
    console.log(`${flags.out}: ${formatBytes(after!)} in ${flags.precision}, ${formatBytes(before!)} before`);
  }
  if (flags.onnx !== undefined) await writeOnnx(flags.onnx, model, noted);
  model.dispose();
}

async function writeOnnx(path: string, model: QualityNetwork, card: ModelCard): Promise<void> {
  const { bytes, description } = await exportModel(model, card);
  await writeFileAtomically(path, bytes);
  const [low, high] = card.range;
  console.log(`${path}: ${formatBytes(bytes.length)}; ${description}; output "score" [1], ${low} (worst) to ${high}`);
}

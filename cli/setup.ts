import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { checkAdapter } from "../engine/device/check.ts";
import { GpuError, NoAdapterError } from "../engine/device/errors.ts";
import {
  type InstallStep,
  installAdvice,
  planInstall,
  readAptSources,
  readOsRelease,
} from "../engine/device/install.ts";
import type { AdapterReport } from "../engine/device/probe.ts";
import { canWidenVectors, type VectorChoice, vectorChoice } from "../engine/device/vectors.ts";
import { measureVectorWidths } from "../models/bench/vector-widths.ts";

export function register(program: Command): void {
  program
    .command("setup")
    .description("make sure that a WebGPU adapter works, installing a software one if need be")
    .option("-q, --quiet", "say nothing when there is nothing to do")
    .action(async ({ quiet = false }: { quiet?: boolean }) => setup(quiet));
}

/** @throws NoAdapterError when no adapter works and none could be installed, with the commands to run */
async function setup(quiet: boolean): Promise<void> {
  const before = await checkAdapter();
  if (before.ok) {
    if (!quiet) console.log(`WebGPU works: ${adapterLine(before.report)}. Nothing to install.`);
    await chooseVectors(before.report);
    return;
  }
  if (before.kind !== "NoAdapterError") throw new GpuError(before.message, before.advice);
  if (process.platform !== "linux") throw new NoAdapterError(before.message, installAdvice().join("\n"));

  console.log(`${before.message}; installing Mesa's software adapter (lavapipe)`);
  const isRoot = process.getuid?.() === 0;
  await carryOut(planInstall(readOsRelease(), readAptSources(), isRoot), before.message);

  // Only a fresh process sees the new driver.
  const after = await checkAdapter();
  if (!after.ok) throw new NoAdapterError(`the driver was installed, yet ${after.message}`, after.advice);
  console.log(`WebGPU works: ${adapterLine(after.report)}.`);
  await chooseVectors(after.report);
}

/** Measures once which vectors Mesa's software driver is faster with, where the processor has both. */
async function chooseVectors({ software, description }: AdapterReport): Promise<void> {
  if (!software || !/llvmpipe/i.test(description) || !canWidenVectors() || vectorChoice()) return;
  console.log("measuring whether vectors of 512 bits are faster than those of 256 on this processor …");
  try {
    console.log(`vectors: ${choiceText(await measureVectorWidths())}`);
  } catch (error) {
    // Everything works without.
    console.warn(`vectors of 512 bits are not used: ${(error as Error).message}`);
  }
}

/** "256 bits: with 512 this processor has 0.97 times the speed" */
export function choiceText({ bits, gain }: VectorChoice): string {
  return `${bits} bits: with 512 this processor has ${gain.toFixed(2)} times the speed of 256`;
}

/** "llvmpipe: Mesa 25.0.7 (software, through webgpu 0.6.2)" */
export function adapterLine(report: AdapterReport): string {
  const name = report.description || report.device || report.vendor || "unnamed adapter";
  const kind = report.software ? "software, " : "";
  return `${name} (${kind}through ${report.provider} ${report.providerVersion})`;
}

/** Carries out the steps; temporary files go away at the end, on failure and on interruption. Exported for tests. */
export async function carryOut(steps: readonly InstallStep[], problem: string): Promise<void> {
  const manual = steps.find((step) => step.kind === "manual");
  if (manual) throw new NoAdapterError(problem, [`${manual.reason}:`, ...manual.instructions].join("\n"));

  const temporary: string[] = [];
  const removeTemporary = () => {
    for (const path of temporary.splice(0)) rmSync(path, { force: true });
  };
  const interrupted = (signal: NodeJS.Signals) => {
    removeTemporary();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  let warnings = "";
  try {
    for (const step of steps) {
      if (step.kind === "temporary-file") {
        console.log(`+ adding ${step.path} for the time of the installation`);
        temporary.push(step.path);
        writeFileSync(step.path, step.content, { mode: 0o644 });
      } else if (step.kind === "run") {
        console.log(`+ ${step.command.join(" ")}`);
        const { code, output } = await run(step.command);
        if (code === 0) continue;
        const tail = output.trim().split("\n").slice(-15).join("\n");
        if (!step.optional) {
          throw new GpuError(`\`${step.command.join(" ")}\` ended with code ${code}`, `${warnings}${tail}`);
        }
        warnings += `${tail}\n`;
      }
    }
  } finally {
    removeTemporary();
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

async function run(command: readonly string[]): Promise<{ code: number; output: string }> {
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 127, output: `${output}\n${error.message}` }));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

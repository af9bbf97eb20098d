#!/usr/bin/env bun
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { emphasis } from "./terminal.ts";

interface CommandModule {
  register(program: Command): void;
}

/** Every command with its one-line summary; a file is imported only when its command is asked for. */
const commands: Record<string, { summary: string; load: () => Promise<CommandModule> }> = {
  setup: {
    summary: "make sure that a WebGPU adapter works, installing a software one if need be",
    load: () => import("./setup.ts"),
  },
  doctor: {
    summary: "show the WebGPU adapter, what it can do, and what is missing",
    load: () => import("./doctor.ts"),
  },
  train: {
    summary: "train a quality model from a folder of pictures and a CSV of scores",
    load: () => import("./train.ts"),
  },
  evaluate: {
    summary: "compare a model's scores with the MOS of a data set",
    load: () => import("./evaluate.ts"),
  },
  score: {
    summary: "score pictures with a trained model",
    load: () => import("./score.ts"),
  },
  data: {
    summary: "list the data sets known by name; inspect one before training",
    load: () => import("./data.ts"),
  },
  demo: {
    summary: "train and test on degraded photographs in a few minutes, with a report",
    load: () => import("./demo.ts"),
  },
  bench: {
    summary: "measure the engine on this adapter",
    load: () => import("./bench.ts"),
  },
  kernel: {
    summary: "run, check and time a WGSL kernel of your own; show the engine's kernels",
    load: () => import("./kernel.ts"),
  },
};

process.exitCode = await main(process.argv.slice(2));

/** Exit code: 0 done, 1 failed, 2 wrong usage. */
async function main(words: string[]): Promise<number> {
  // A reader that has seen enough (`acutance … | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  try {
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has already printed its message.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printError(error);
    return 1;
  }
}

async function buildProgram(words: string[]): Promise<Command> {
  const { version, description } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const program = new Command("acutance")
    .description(description)
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride();
  const wanted = words.filter((word) => !word.startsWith("-")).slice(0, 2);
  const chosen = wanted[0] === "help" ? wanted[1] : wanted[0];
  for (const [name, { summary, load }] of Object.entries(commands)) {
    if (name === chosen) (await load()).register(program);
    else program.command(name).description(summary);
  }
  return program;
}

function printError(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`${emphasis("error:", "red", process.stderr)} ${message}`);
  const advice = (error as { advice?: unknown } | null)?.advice;
  if (typeof advice === "string" && advice) console.error(advice);
  // A command could not even be read: `using` is younger than Node's own reading of TypeScript.
  if (error instanceof SyntaxError && Number.parseInt(process.versions.node, 10) < 24) {
    console.error(`Acutance needs Bun 1.4, Node 24 or Deno 2.9, or newer; this is Node ${process.versions.node}`);
  }
  if (process.env["ACUTANCE_DEBUG"] === "1" && error instanceof Error) console.error(error.stack);
}

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { setRunning } from "./running.ts";

interface CommandModule {
  /** @param build for a command that runs others */
  register(program: Command, build: typeof buildProgram): void;
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
  experiment: {
    summary: "compare methods and their settings by a recipe, over several splits",
    load: () => import("./experiment.ts"),
  },
  export: {
    summary: "write a model in half the size, or as ONNX for other programs",
    load: () => import("./export.ts"),
  },
  evaluate: {
    summary: "compare a model's scores with the MOS of a data set",
    load: () => import("./evaluate.ts"),
  },
  trust: {
    summary: "give a model intervals for its scores, and a measure of how typical a picture is",
    load: () => import("./trust.ts"),
  },
  adapt: {
    summary: "adapt a model to ratings of your own, where that makes it better",
    load: () => import("./adapt.ts"),
  },
  report: {
    summary: "write the page of a training run or an experiment again, from its record",
    load: () => import("./report.ts"),
  },
  score: {
    summary: "score pictures with a trained model, or by NIQE or BRISQUE",
    load: () => import("./score.ts"),
  },
  calibrate: {
    summary: "find the score that separates your bad pictures from your good ones",
    load: () => import("./calibrate.ts"),
  },
  cull: {
    summary: "group bursts and near-duplicates and keep the best of each",
    load: () => import("./cull.ts"),
  },
  parameters: {
    summary: "make the parameters of NIQE and BRISQUE, which score without a model",
    load: () => import("./parameters.ts"),
  },
  reasons: {
    summary: "teach what lowers the scores of pictures, from degraded copies of photographs",
    load: () => import("./reasons.ts"),
  },
  label: {
    summary: "label a pool of pictures with a trained model, to train another on the labels",
    load: () => import("./label.ts"),
  },
  sensitivity: {
    summary: "degrade pictures more and more and show whether their scores fall",
    load: () => import("./sensitivity.ts"),
  },
  serve: {
    summary: "score pictures over HTTP",
    load: () => import("./serve.ts"),
  },
  enqueue: {
    summary: "send pictures to a queue, for workers on any number of machines",
    load: () => import("./enqueue.ts"),
  },
  worker: {
    summary: "score the pictures of a queue",
    load: () => import("./worker.ts"),
  },
  data: {
    summary: "list the data sets known by name; inspect one before training; degrade pictures",
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
  onnx: {
    summary: "run a model in the format of ONNX on the engine",
    load: () => import("./onnx.ts"),
  },
  kernel: {
    summary: "run, check and time a WGSL kernel of your own; show the engine's kernels",
    load: () => import("./kernel.ts"),
  },
  profile: {
    summary: "run a command and show where the adapter's time goes, kernel by kernel",
    load: () => import("./profile.ts"),
  },
};

/** The command line, with the command that `words` ask for. */
export async function buildProgram(words: string[]): Promise<Command> {
  const { version, description } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const program = new Command("acutance")
    .description(description)
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .hook("preAction", (_, command) => {
      setRunning(command);
    });
  const wanted = words.filter((word) => !word.startsWith("-")).slice(0, 2);
  const chosen = wanted[0] === "help" ? wanted[1] : wanted[0];
  for (const [name, { summary, load }] of Object.entries(commands)) {
    if (name === chosen) (await load()).register(program, buildProgram);
    else program.command(name).description(summary);
  }
  return program;
}

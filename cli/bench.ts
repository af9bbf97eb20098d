import type { Command } from "commander";
import { type Benchmark, type BenchResult, benchmarks } from "../engine/bench.ts";
import { pictureBenchmarks } from "../engine/bench-pictures.ts";
import { transformerBenchmarks } from "../engine/bench-transformer.ts";
import { memoryTable } from "../engine/memory/report.ts";
import { type BindingRoof, bindingRoof } from "../engine/tune/binding-roof.ts";
import { storeChoices } from "../engine/tune/choices.ts";
import type { Roofs } from "../engine/tune/roofs.ts";
import { distortionBenchmarks } from "../models/bench/distortions.ts";
import { measureBenchmarks } from "../models/bench/measures.ts";
import { methodStepBenchmarks } from "../models/bench/method-steps.ts";
import { networkBenchmarks } from "../models/bench/networks.ts";
import { replayBenchmark, trainingStepBenchmark, vitBenchmark } from "../models/bench/training-step.ts";
import { commandRoofs, machineText, registerRoofs } from "./bench-roofs.ts";
import { registerScoring } from "./bench-scoring.ts";
import { wholeNumber } from "./data-options.ts";
import { addTuningOptions, deviceOptions, memoryOption, openCommandDevice, type TuningFlags } from "./device.ts";
import { progress, table } from "./terminal.ts";

interface BenchFlags extends TuningFlags {
  readonly runs: number;
  readonly batch: number;
  readonly size: number;
  readonly match?: string;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  const bench = program
    .command("bench")
    .description(
      "measure matrix products, convolutions with their gradients, the graph, and a ResNet-18 training step, as shares of the adapter's roofs",
    )
    .option("--runs <n>", "timed runs of each, after one warm-up", wholeNumber(1), 5)
    .option("--batch <n>", "pictures in the training step", wholeNumber(2), 8)
    .option("--size <n>", "side of the pictures in the training step", wholeNumber(32), 224)
    .option("--match <text>", "only benchmarks with this in their name")
    .option("--list", "print the names of the benchmarks and end")
    .option("--json", "print one JSON document")
    .option(...memoryOption)
    .enablePositionalOptions()
    .action(run);
  addTuningOptions(bench);
  registerRoofs(bench);
  registerScoring(bench);
}

/** A result with the roof that binds it, where its cost is known. */
interface BoundResult extends BenchResult {
  readonly bound?: BindingRoof;
  /** Least possible time by that roof divided by the median time, 0..1. */
  readonly shareOfRoof?: number;
}

async function run(flags: BenchFlags): Promise<void> {
  const { runs, batch, size, json, memory, tune, retune, subgroupMatrices } = flags;
  const list = chosen(
    [
      ...benchmarks,
      ...transformerBenchmarks,
      ...pictureBenchmarks,
      ...measureBenchmarks,
      ...distortionBenchmarks,
      ...[vitBenchmark, replayBenchmark, trainingStepBenchmark(batch, size)],
      ...networkBenchmarks(batch, size),
      ...methodStepBenchmarks(),
    ],
    flags.match,
  );
  if (flags.list) {
    for (const { name } of list) console.log(name);
    return;
  }
  using device = await openCommandDevice(deviceOptions(memory === undefined ? {} : { memory }), {
    ...(tune !== undefined && { tune }),
    ...(retune && { retune }),
    ...(subgroupMatrices && { subgroupMatrices }),
  });
  const roofs = await commandRoofs(device);
  const bar = progress("measuring", list.length);
  const results: BoundResult[] = [];
  for (const benchmark of list) {
    results.push(bounded(await benchmark.measure(device, runs), roofs));
    bar.advance(1, benchmark.name);
  }
  bar.stop();
  if (device.tuner.tunings.length > 0) await storeChoices(device);
  const machine = machineText(device);
  if (json) {
    console.log(JSON.stringify({ machine, runs, roofs, results }, null, 2));
    return;
  }
  const rows = results.map(({ name, medianMs, leastMs, mostMs, gflops, shareOfRoof, bound, note }) => [
    name,
    medianMs.toFixed(1),
    `${leastMs.toFixed(1)}-${mostMs.toFixed(1)}`,
    gflops ? gflops.toFixed(1) : "",
    shareOfRoof ? `${(100 * shareOfRoof).toFixed(0)} %` : "",
    bound?.roof ?? "",
    note ?? "",
  ]);
  console.log(table(["what", "median ms", "range ms", "GFLOP/s", "share of roof", "roof", ""], rows));
  for (const { name, memory } of results) {
    if (memory) console.log(`\ndevice memory, ${name}\n${memoryTable(memory)}`);
  }
  console.log(`\n${machine}; wall time from recording to completion; roofs: acutance bench roofs`);
}

/**
 * Those with the text in their name; an indented one, such as a gradient, goes with the one above it.
 * @throws Error when there is none
 */
function chosen(all: readonly Benchmark[], match = ""): Benchmark[] {
  let parent = "";
  const found = all.filter(({ name }) => {
    const indented = name.startsWith(" ");
    if (!indented) parent = name;
    return (indented ? parent + name : name).toLowerCase().includes(match.toLowerCase());
  });
  if (found.length === 0) throw new Error(`no benchmark has "${match}" in its name; --list shows them all`);
  return found;
}

function bounded(result: BenchResult, roofs: Roofs): BoundResult {
  if (!result.cost) return result;
  const bound = bindingRoof(result.cost, roofs);
  return { ...result, bound, shareOfRoof: bound.leastMs / result.medianMs };
}

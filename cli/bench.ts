import { cpus } from "node:os";
import type { Command } from "commander";
import { type Benchmark, type BenchResult, benchmarks, measureUntil } from "../engine/bench.ts";
import { operationBenchmarks } from "../engine/bench-operations.ts";
import { pictureBenchmarks } from "../engine/bench-pictures.ts";
import { transformerBenchmarks } from "../engine/bench-transformer.ts";
import type { Device } from "../engine/device/device.ts";
import { memoryTable } from "../engine/memory/report.ts";
import { ConditionWatch, taintsOf } from "../engine/profile/conditions.ts";
import { type BindingRoof, bindingRoof } from "../engine/tune/binding-roof.ts";
import { storeChoices } from "../engine/tune/choices.ts";
import type { Roofs } from "../engine/tune/roofs.ts";
import { distortionBenchmarks } from "../models/bench/distortions.ts";
import { measureBenchmarks } from "../models/bench/measures.ts";
import { methodStepBenchmarks } from "../models/bench/method-steps.ts";
import { networkBenchmarks } from "../models/bench/networks.ts";
import { replayBenchmark, trainingStepBenchmark, vitBenchmark } from "../models/bench/training-step.ts";
import { historyFile, type Kept, keepResults, registerHistory } from "./bench-history.ts";
import { commandRoofs, machineText, registerRoofs } from "./bench-roofs.ts";
import { registerScoring } from "./bench-scoring.ts";
import { wholeNumber } from "./data-options.ts";
import { addTuningOptions, deviceOptions, memoryOption, openCommandDevice, type TuningFlags } from "./device.ts";
import { shareOf } from "./profile-compare.ts";
import { progress, table } from "./terminal.ts";

interface BenchFlags extends TuningFlags {
  readonly runs: number;
  readonly batch: number;
  readonly size: number;
  readonly match?: string;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly memory?: number;
  readonly untilNoise?: number;
  readonly record?: string | true;
  readonly rounds: number;
}

export function register(program: Command): void {
  const bench = program
    .command("bench")
    .description(
      "measure matrix products, convolutions with their gradients, the graph, and a ResNet-18 training step, as shares of the adapter's roofs",
    )
    .option("--runs <n>", "timed runs of each, after one warm-up", wholeNumber(1), 5)
    .option("--until-noise <share>", "further runs, to 200, until a median is known to this, such as 2%", shareOf)
    .option(
      "--record [file]",
      `keep the results by commit and adapter (default: ${historyFile}); see bench history and gate`,
    )
    .option("--rounds <n>", "measure all so often, a record each: that calibrates bench gate", wholeNumber(1), 1)
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
  registerHistory(bench);
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
      ...operationBenchmarks,
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
  const bar = progress("measuring", list.length * flags.rounds);
  let kept: Kept[] = [];
  for (let round = 0; round < flags.rounds; round++) {
    kept = [];
    for (const benchmark of list) {
      kept.push(await measured(device, benchmark, flags));
      bar.advance(1, benchmark.name);
    }
    if (flags.record) keepResults(flags.record === true ? historyFile : flags.record, device, kept);
  }
  bar.stop();
  const results = kept.map(({ result }) => bounded(result, roofs));
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

/** Measures once, with an eye on what else the machine does. */
async function measured(device: Device, benchmark: Benchmark, { runs, untilNoise }: BenchFlags): Promise<Kept> {
  const watch = new ConditionWatch();
  try {
    const result = await measureUntil(benchmark, device, runs, untilNoise);
    watch.stop();
    const all = watch.stretches.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
    const tainted = taintsOf(watch.stretches, cpus().length).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
    if (all === 0 || tainted <= taintedShare * all) return { result, tainted: false };
    const note = [result.note, "the machine did something else meanwhile"].filter(Boolean).join("; ");
    return { result: { ...result, note }, tainted: true };
  } finally {
    watch.stop();
  }
}

/** A result of which more than this was disturbed does not count. */
const taintedShare = 0.5;

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

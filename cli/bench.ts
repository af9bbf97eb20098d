import { cpus } from "node:os";
import type { Command } from "commander";
import { type BenchResult, benchmarks } from "../engine/bench.ts";
import { memoryTable } from "../engine/memory/report.ts";
import { trainingStepBenchmark } from "../models/bench.ts";
import { wholeNumber } from "./data-options.ts";
import { deviceOptions, memoryOption, openCommandDevice } from "./device.ts";
import { progress, table } from "./terminal.ts";

interface BenchFlags {
  readonly runs: number;
  readonly batch: number;
  readonly size: number;
  readonly json?: boolean;
  readonly memory?: number;
}

export function register(program: Command): void {
  program
    .command("bench")
    .description("measure matrix products, convolutions with their gradients, the graph, and a ResNet-18 training step")
    .option("--runs <n>", "timed runs of each, after one warm-up", wholeNumber(1), 5)
    .option("--batch <n>", "pictures in the training step", wholeNumber(2), 8)
    .option("--size <n>", "side of the pictures in the training step", wholeNumber(32), 224)
    .option("--json", "print one JSON document")
    .option(...memoryOption)
    .action(run);
}

async function run({ runs, batch, size, json, memory }: BenchFlags): Promise<void> {
  using device = await openCommandDevice(deviceOptions(memory === undefined ? {} : { memory }));
  const list = [...benchmarks, trainingStepBenchmark(batch, size)];
  const bar = progress("measuring", list.length);
  const results: BenchResult[] = [];
  for (const benchmark of list) {
    results.push(await benchmark.measure(device, runs));
    bar.advance(1, benchmark.name);
  }
  bar.stop();
  const machine = `${device.info.description || device.info.vendor}, ${cpus()[0]?.model.trim()} (${cpus().length} cores), subgroups of ${device.subgroupSize || "unknown size"}`;
  if (json) {
    console.log(JSON.stringify({ machine, runs, results }, null, 2));
    return;
  }
  const rows = results.map(({ name, medianMs, leastMs, mostMs, gflops, note }) => [
    name,
    medianMs.toFixed(1),
    `${leastMs.toFixed(1)}-${mostMs.toFixed(1)}`,
    gflops ? gflops.toFixed(1) : "",
    note ?? "",
  ]);
  console.log(table(["what", "median ms", "range ms", "GFLOP/s", ""], rows));
  for (const { name, memory } of results) {
    if (memory) console.log(`\ndevice memory, ${name}\n${memoryTable(memory)}`);
  }
  console.log(`\n${machine}; wall time from recording to completion`);
}

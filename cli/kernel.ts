import type { Command } from "commander";
import { registerList } from "./kernel-list.ts";
import { registerRun } from "./kernel-run.ts";

export function register(program: Command): void {
  const kernel = program
    .command("kernel")
    .description("run, check and time a WGSL kernel of your own; show the engine's kernels")
    .enablePositionalOptions();
  registerRun(kernel);
  registerList(kernel);
}

import type { Command } from "commander";
import { registerInspect } from "./kernel-inspect.ts";
import { registerList } from "./kernel-list.ts";
import { registerRun } from "./kernel-run.ts";

export function register(program: Command): void {
  const kernel = program
    .command("kernel")
    .description("run, check and time a WGSL kernel of your own; see what GPUs make of it; show the engine's kernels")
    .enablePositionalOptions();
  registerRun(kernel);
  registerInspect(kernel);
  registerList(kernel);
}

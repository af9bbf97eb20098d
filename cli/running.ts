import type { Command, Option } from "commander";

let running: Command | undefined;

/** Says which command runs. */
export function setRunning(command: Command): void {
  running = command;
}

/** The options of the command that runs, and of those above it. */
export function runningOptions(): Option[] {
  const options: Option[] = [];
  for (let command = running; command; command = command.parent ?? undefined) options.push(...command.options);
  return options;
}

#!/usr/bin/env bun
import { CommanderError } from "commander";
import { fileSentence } from "../engine/weights/files.ts";
import { PictureError } from "../models/data/pictures/picture-error.ts";
import { inFlags } from "./option-words.ts";
import { printError } from "./print-error.ts";
import { buildProgram } from "./program.ts";
import { runningOptions } from "./running.ts";
import { printableMessage } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

// Messages have names of files in them, which anybody may have chosen, and options of the library, which here are flags.
const say = console.error.bind(console);
console.error = (...values: unknown[]) =>
  say(
    ...values.map((value) => (typeof value === "string" ? printableMessage(inFlags(value, runningOptions())) : value)),
  );

process.exitCode = await main(process.argv.slice(2));

/** Exit code: 0 done, 1 failed, 2 wrong usage. */
async function main(words: string[]): Promise<number> {
  // A reader that has seen enough (`acutance … | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    printError(new Error(fileSentence("standard output", error, "written")));
    process.exit(1);
  });
  // What cannot be told is no reason to stop: the terminal may have been closed.
  process.stderr.on("error", () => {});
  // Advice on pictures names the command line's options.
  PictureError.audience = "command line";
  try {
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has already printed its message.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printError(error);
    if (error instanceof UsageError) return 2;
    const { exitCode } = error as { exitCode?: unknown };
    return typeof exitCode === "number" && exitCode !== 0 ? exitCode : 1;
  }
}

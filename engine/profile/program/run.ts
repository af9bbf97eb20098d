import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { foreignEnvironment } from "../../device/vectors.ts";
import { type CaptureRequest, configVariable, type ProgramConfig } from "./protocol.ts";
import { readRecords, type ThreadRecords } from "./read.ts";

export interface ProgramOptions {
  /** Whether every dispatch gets a pass of its own, with a call stack. @default true */
  readonly split?: boolean;
  /** Whether the adapter's timestamps are taken where it has them. @default true */
  readonly timestamps?: boolean;
  /** Whether the adapter's caches are filled with something else before each dispatch. @default false */
  readonly coldCache?: boolean;
  readonly captures?: readonly CaptureRequest[];
  /** File descriptor that the program's standard output goes to; that of this process unless given. */
  readonly outputTo?: number;
}

/** How a program ended, and what it did. */
export interface ProgramRun {
  /** Exit code, as a shell gives it: 128 and the signal's number where a signal ended it. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  /** Of every thread that opened a device. */
  readonly threads: readonly ThreadRecords[];
  /** Where the records and captures lie until {@link dispose}. */
  readonly folder: string;
  dispose(): void;
}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs a program, under Bun, Node or Deno, with its WebGPU watched: what it makes, dispatches and submits, with the adapter's times.
 * Its input and output are those of this process.
 * @param words the program and its arguments
 * @throws Error when it cannot be started
 */
export async function runProgram(words: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
  const folder = mkdtempSync(join(tmpdir(), "acutance-program-"));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  const { split = true, timestamps = true, coldCache = false, captures = [] } = options;
  const config: ProgramConfig = { folder: join(folder, "records"), split, timestamps, coldCache, captures };
  const preload = preloadFile(folder);
  const [file, ...rest] = isDeno(words[0]!) ? denoWords(words, preload, folder) : words;
  const environment = {
    ...foreignEnvironment(),
    [configVariable]: JSON.stringify(config),
    // Both are heard by whatever the program starts, such as a package's script.
    NODE_OPTIONS: joined(process.env["NODE_OPTIONS"], `--import=${preload}`),
    BUN_OPTIONS: joined(process.env["BUN_OPTIONS"], `--preload=${preload}`),
  };
  try {
    const child = spawn(file!, rest, {
      env: environment,
      stdio: ["inherit", options.outputTo ?? "inherit", "inherit"],
    });
    const pass = forwarded.map((name) => [name, () => void child.kill(name)] as const);
    for (const [name, tell] of pass) process.on(name, tell);
    const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal }));
    }).finally(() => {
      for (const [name, tell] of pass) process.off(name, tell);
    });
    const code = end.signal ? 128 + (constants.signals[end.signal] ?? 0) : (end.code ?? 1);
    return { code, signal: end.signal, threads: readRecords(config.folder), folder: config.folder, dispose };
  } catch (error) {
    dispose();
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new Error(`${words[0]}: there is no such program`);
    if (code === "EACCES") throw new Error(`${words[0]} cannot be run: it is not executable`);
    throw error;
  }
}

function joined(before: string | undefined, word: string): string {
  return before ? `${before} ${word}` : word;
}

/** A file whose name has no spaces, which options in the environment cannot hold, and which imports the real one. */
function preloadFile(folder: string): string {
  const here = fileURLToPath(import.meta.url);
  // Node does not strip types below node_modules: there stands what was built.
  const built = /[\\/]node_modules[\\/]/.test(here) && here.endsWith(".ts");
  const real = built
    ? new URL(
        import.meta.url.replace(/\/engine\/profile\/program\/run\.ts$/, "/dist/engine/profile/program/preload.js"),
      )
    : new URL(here.endsWith(".ts") ? "preload.ts" : "preload.js", import.meta.url);
  const file = join(folder, "preload.mjs");
  // A runtime that cannot read the real one, such as an old Node that starts something else, goes on without.
  const told = `(error) => error.code === "ERR_UNKNOWN_FILE_EXTENSION" || console.error("note: WebGPU is not watched: " + error.message)`;
  writeFileSync(file, `await import(${JSON.stringify(real.href)}).catch(${told});\n`);
  return file;
}

function isDeno(word: string): boolean {
  return /^deno(\.exe)?$/.test(basename(word));
}

/** Deno has no options in the environment: those that load the preload and let it write follow `run`. */
function denoWords(words: readonly string[], preload: string, folder: string): string[] {
  const [file, command, ...rest] = words;
  if (command === undefined) return [...words];
  const isCommand = ["run", "test", "bench", "serve"].includes(command);
  const given = isCommand ? rest : words.slice(1);
  const all = given.some((word) => /^(-A|--allow-all)$/.test(word));
  const allowed = all ? [] : [`--allow-write=${folder}`, `--allow-read=${folder}`, `--allow-env`, "--allow-sys"];
  return [file!, isCommand ? command : "run", "--unstable-webgpu", `--preload=${preload}`, ...allowed, ...given];
}

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AdapterReport } from "./probe.ts";

export interface FailedCheck {
  readonly ok: false;
  /** The error's name: "NoAdapterError", "GpuError", …; "Crash" or "Timeout" when the process ended by itself or was ended. */
  readonly kind: string;
  readonly message: string;
  readonly advice: string;
}

export type AdapterCheck = { readonly ok: true; readonly report: AdapterReport } | FailedCheck;

export interface CheckOptions {
  /** The longest wait; software adapters may compile slowly. */
  readonly timeoutMs?: number;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Whether a WebGPU adapter works, found out in a fresh process: a broken driver may crash it, and the Vulkan loader
 * reads its drivers only once per process. Never rejects because of the GPU.
 */
export async function checkAdapter(options: CheckOptions = {}): Promise<AdapterCheck> {
  const { timeoutMs = 120_000, environment = process.env } = options;
  const script = fileURLToPath(new URL("./probe-process.ts", import.meta.url));
  const child = spawn(process.execPath, [...runArguments(), script], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  return readAnswer(stdout, stderr, end.code, end.signal, timeoutMs);
}

/**
 * What process.execPath needs before a TypeScript file to run it: Deno a subcommand and permissions, Node the loader that
 * this process was given, Bun nothing.
 */
export function runArguments(): string[] {
  if (process.versions["deno"]) return ["run", "--allow-all"];
  return process.versions.bun ? [] : loaderArguments(process.execArgv);
}

/** Those of Node's own arguments that load something before the program, such as a TypeScript loader. Exported for tests. */
export function loaderArguments(words: readonly string[]): string[] {
  return words.flatMap((word, i) => {
    const option = /^(--import|--require|-r|--loader|--experimental-loader)(=.*)?$/.exec(word);
    if (!option) return [];
    return option[2] ? [word] : [word, words[i + 1] ?? ""];
  });
}

/** Reads what the process left behind. A crash after the answer, while the driver shuts down, does not count. Exported for tests. */
export function readAnswer(
  stdout: string,
  stderr: string,
  code: number | null,
  signal: NodeJS.Signals | null,
  timeoutMs: number,
): AdapterCheck {
  const answer = stdout.split("\n").find((line) => line.startsWith("{"));
  if (answer) {
    try {
      return JSON.parse(answer) as AdapterCheck;
    } catch {
      // A line cut short by a crash is no answer.
    }
  }
  const last = stderr.trim().split("\n").slice(-3).join(" | ");
  if (signal === "SIGKILL") {
    return {
      ok: false,
      kind: "Timeout",
      message: `the GPU driver did not finish a small kernel within ${timeoutMs / 1000} s${last && `: ${last}`}`,
      advice: "update the GPU driver, or look at what else uses the GPU",
    };
  }
  return {
    ok: false,
    kind: "Crash",
    message: `the process that tried the GPU ended ${signal ? `by ${signal}` : `with code ${code}`}${last && `: ${last}`}`,
    advice: "update the GPU driver (Mesa 25 or newer for lavapipe)",
  };
}

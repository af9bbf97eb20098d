import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;

/** Words before a script that let it end with this process; its standard input must be a pipe. */
export const withParent: readonly string[] = [new URL("with-parent.ts", import.meta.url).pathname];

export type LogLine = Record<string, unknown> & { event: string };

/** `acutance serve` in a process of its own. */
export interface Serving {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
  /** Its log so far. */
  readonly lines: readonly LogLine[];
  /** The status that it ends with. */
  readonly exit: Promise<number | null>;
}

/**
 * Starts `acutance serve` on a free port and waits until it listens.
 * @param runtime what runs a script @param words options of the command
 * @throws Error with what it printed when it ends before
 */
export async function startServing(runtime: readonly string[], words: readonly string[]): Promise<Serving> {
  const [program, ...before] = runtime;
  const child = spawn(program!, [...before, ...withParent, main, "serve", "--port", "0", ...words], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines: LogLine[] = [];
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  const exit = once(child, "exit").then(([code]) => code as number | null);
  const listening = Promise.withResolvers<LogLine>();
  exit.then((code) => listening.reject(new Error(`it ended with ${code}: ${complaints}`)));
  createInterface({ input: child.stdout }).on("line", (text) => {
    const line = JSON.parse(text) as LogLine;
    lines.push(line);
    if (line.event === "listening") listening.resolve(line);
  });
  const { url, pid } = await listening.promise;
  return { child, url: url as string, pid: pid as number, lines, exit };
}

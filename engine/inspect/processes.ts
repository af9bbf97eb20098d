import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runArguments } from "../device/check.ts";

/** What came of one request. */
export type Answer<Out> = { readonly done: Out } | { readonly failed: string; readonly blame?: Blame };

/** Whose fault it is, where it is not the kernel's: what was asked for is wrong, or something on the machine is missing. */
export type Blame = "usage" | "machine";

type Line<Out> = { readonly index: number } & (Answer<Out> | { readonly begun: true });

/** Marks a line of ours among what native code writes to standard error. */
const mark = "\u0001acutance ";

export interface Work<In> {
  /** The script, which calls {@link answerRequests}. */
  readonly script: URL;
  readonly requests: readonly In[];
  readonly environment?: NodeJS.ProcessEnv;
  /** One request takes at most so long. */
  readonly timeoutMs?: number;
}

/**
 * Has requests answered by a process of their own, since a driver may end it. Then the request at hand has failed, and a new
 * process goes on behind it.
 * @param onOutput told what each process wrote to standard output
 */
export async function inProcesses<In, Out>(
  { script, requests, environment = process.env, timeoutMs = 120_000 }: Work<In>,
  onOutput: (text: string) => void = () => {},
): Promise<Answer<Out>[]> {
  const answers: Answer<Out>[] = [];
  let [open, early] = [requests.map((_, index) => index), 0];
  while (open.length > 0) {
    const { lines, output, reason } = await runProcess<Out>(
      script,
      open.map((index) => requests[index]!),
      environment,
      timeoutMs,
    );
    onOutput(output);
    let begun: number | undefined;
    for (const { index, ...line } of lines) {
      begun = "begun" in line ? index : undefined;
      if (!("begun" in line)) answers[open[index]!] = line;
    }
    const left = open.filter((index) => answers[index] === undefined);
    if (left.length === 0) break;
    if (begun !== undefined) answers[open[begun]!] = { failed: reason };
    else if (lines.length === 0 || ++early > 1) {
      for (const index of left) answers[index] = { failed: reason };
    }
    open = open.filter((index) => answers[index] === undefined);
  }
  return answers;
}

async function runProcess<Out>(script: URL, requests: unknown[], environment: NodeJS.ProcessEnv, timeoutMs: number) {
  const child = spawn(process.execPath, [...runArguments(), fileURLToPath(script)], {
    env: environment,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines: Line<Out>[] = [];
  let [output, rest, said, late] = ["", "", "", false];
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
  };
  wait();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const all = (rest + text).split("\n");
    rest = all.pop()!;
    for (const line of all) {
      const at = line.indexOf(mark);
      if (at < 0) said += `${line}\n`;
      else lines.push(JSON.parse(line.slice(at + mark.length)) as Line<Out>);
      if (at >= 0) wait();
    }
  });
  // A process that ends before it has read its requests says so by its exit.
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(requests));
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal }));
    },
  );
  clearTimeout(timer);
  // Behind a line of these Bun tells of itself, and takes the blame.
  const last = (said + rest)
    .split(/^={20,}$/m)[0]!
    .trim()
    .split("\n")
    .slice(-3)
    .join(" | ");
  const how = late
    ? `did not end within ${timeoutMs / 1000} s`
    : signal
      ? `ended by ${signal}`
      : `ended with code ${code}`;
  return { lines, output, reason: `${how}${last && `: ${last}`}` };
}

/** The other side of {@link inProcesses}: answers each request by `work`; what it throws is its answer. */
export async function answerRequests<In, Out>(
  work: (request: In, index: number) => Promise<Out> | Out,
  blameOf: (error: unknown) => Blame | undefined,
): Promise<void> {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  for (const [index, request] of (JSON.parse(text) as In[]).entries()) {
    say({ index, begun: true });
    try {
      say({ index, done: await work(request, index) });
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      const blame = blameOf(error);
      say({ index, failed, ...(blame && { blame }) });
    }
  }
}

function say(line: Line<unknown>): void {
  const bytes = Buffer.from(`${mark}${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(2, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runArguments } from "../device/check.ts";
import type { ConstantValue, Description } from "./description.ts";
import { KernelRunError } from "./errors.ts";
import type { KernelRun } from "./run.ts";

/** What is to be run, on the points of a sweep or on one. */
export interface RunRequest {
  readonly source: string;
  /** Name of the source for messages. */
  readonly file: string;
  /** Where its parts lie beside the engine's. */
  readonly folder?: string;
  readonly description: Description;
  /** Values of swept constants. */
  readonly points: readonly Readonly<Record<string, ConstantValue>>[];
  readonly runs: number;
  readonly leastMs?: number;
  readonly noise?: number;
  readonly coldCache?: boolean;
  /** Weights file with contents of buffers. */
  readonly inputsPath?: string;
  /** Zip with the dispatch that the kernel was captured from. */
  readonly capturePath?: string;
  readonly tolerance?: number;
  /** Safetensors file to write all buffers to. */
  readonly dumpPath?: string;
  /** Whether to look for accesses out of bounds; true unless given. */
  readonly bounds?: boolean;
}

export type RunEvent =
  | { readonly kind: "begin"; readonly index: number }
  | { readonly kind: "done"; readonly index: number; readonly run: KernelRun }
  | { readonly kind: "failed"; readonly index: number; readonly message: string; readonly usage: boolean };

/** How one point ended; `usage` where what was asked for is wrong and not the kernel. */
export type Outcome =
  | { readonly point: RunRequest["points"][number]; readonly run: KernelRun }
  | { readonly point: RunRequest["points"][number]; readonly failure: string; readonly usage?: boolean };

/** JSON in which numbers that are not finite are words. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, entry) => (typeof entry === "number" && !Number.isFinite(entry) ? String(entry) : entry),
    indent,
  );
}

function fromJson(text: string): RunEvent {
  return JSON.parse(text, (_, entry) => (/^(NaN|-?Infinity)$/.test(entry) ? Number(entry) : entry)) as RunEvent;
}

/** Opening a device takes at most so long, beside the time that a point has. */
const startMs = 60_000;

/**
 * Runs a kernel in processes of its own. A point that lasts longer than `timeoutMs`, or takes its process down, fails; the
 * points after it run in a new process.
 * @param onOutcome told of each point as it ends
 * @returns one outcome for each point, in their order
 * @throws KernelRunError when a process ends before its first point
 */
export async function superviseRuns(
  request: RunRequest,
  timeoutMs: number,
  onOutcome: (outcome: Outcome) => void = () => {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  while (outcomes.length < request.points.length) {
    const rest = request.points.slice(outcomes.length);
    const add = (outcome: Outcome) => {
      outcomes.push(outcome);
      onOutcome(outcome);
    };
    const before = outcomes.length;
    const end = await runProcess({ ...request, points: rest }, timeoutMs, add);
    const unfinished = rest[outcomes.length - before];
    if (!unfinished) break;
    // After a failure of the device the process ends with a point answered; else the one at hand brought it down.
    if (end.during === "point") add({ point: unfinished, failure: end.reason });
    else if (outcomes.length === before) throw new KernelRunError(end.reason);
  }
  return outcomes;
}

interface ProcessEnd {
  /** Why it ended before its last point. */
  readonly reason: string;
  /** Whether a point was at hand then. */
  readonly during: "point" | "pause";
}

function runProcess(request: RunRequest, timeoutMs: number, add: (outcome: Outcome) => void): Promise<ProcessEnd> {
  const script = fileURLToPath(new URL("process.ts", import.meta.url));
  const child = spawn(process.execPath, [...runArguments(), script], { stdio: ["pipe", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let [stdout, stderr, late, begun] = ["", "", false, false];
    let timer: NodeJS.Timeout;
    const wait = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, ms);
    };
    wait(startMs + timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (stdout + text).split("\n");
      stdout = lines.pop()!;
      for (const line of lines.filter((text) => text.startsWith("{"))) {
        const event = fromJson(line);
        begun = event.kind === "begin";
        wait(timeoutMs);
        const point = request.points[event.index]!;
        if (event.kind === "done") add({ point, run: event.run });
        else if (event.kind === "failed") add({ point, failure: event.message, ...(event.usage && { usage: true }) });
      }
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const last = stderr.trim().split("\n").slice(-3).join(" | ");
      const reason = late
        ? `did not end within ${timeoutMs / 1000} s`
        : `the process that ran it ended ${signal ? `by ${signal}` : `with code ${code}`}${last && `: ${last}`}`;
      resolve({ reason, during: begun ? "point" : "pause" });
    });
    // A process that ends before it has read its request says so by its exit.
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify(request));
  });
}

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Runtime } from "../../runtime/runtimes.ts";
import { type FuzzedRequests, fuzzRequests } from "./request-fuzz.ts";

const target = new URL("fuzz-target.ts", import.meta.url).pathname;

/** Fuzzes a service in a process of its own under a runtime. @throws as {@link fuzzRequests}; Error when the process ends or complains */
export async function fuzzRuntime(
  { command, run }: Runtime,
  model: string,
  good: { bytes: Uint8Array<ArrayBuffer>; score: number },
  options: { count: number; seed?: number },
): Promise<FuzzedRequests> {
  const [program, ...words] = [...command, ...run, target, model];
  const child = spawn(program!, words, { stdio: ["pipe", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  const ended = new Promise<never>((_, reject) => {
    child.on("exit", (code, signal) =>
      reject(new Error(`the service ended with ${signal ?? code}: ${complaints.slice(-2000)}`)),
    );
  });
  ended.catch(() => {});
  try {
    const url = new Promise<string>((resolve) => createInterface({ input: child.stdout }).on("line", resolve));
    const result = await Promise.race([ended, url.then((each) => fuzzRequests(each, good, options))]);
    const failure = /^.*"event":"failure".*$/m.exec(complaints);
    if (failure) throw new Error(`the service failed: ${failure[0].slice(0, 1000)}`);
    return result;
  } finally {
    child.stdin.destroy();
    child.kill("SIGKILL");
  }
}

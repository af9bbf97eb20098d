import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Runtime, runtimesHere } from "../runtime/runtimes.ts";

const script = new URL("watched.ts", import.meta.url).pathname;
const runtimes = runtimesHere("Bun", "Node");

function watched({ command, run }: Runtime, ...words: string[]) {
  const [program, ...rest] = [...command, ...run, script, ...words];
  const child = spawn(program!, rest, { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000, killSignal: "SIGINT" });
  const said = { out: "", err: "" };
  child.stdout.on("data", (data) => (said.out += data));
  child.stderr.on("data", (data) => (said.err += data));
  return { child, said };
}

describe.each(runtimes)("under $name a process", (runtime) => {
  test("whose event loop spins is ended, with a line that says so", async () => {
    const { child, said } = watched(runtime, "1", "spin");
    const [code, signal] = await once(child, "exit");
    // What starts the runtime may say it in its own way.
    expect(signal ?? code).toBeOneOf(["SIGKILL", 128 + 9]);
    const line = JSON.parse(said.err.split("\n").find((each) => each.includes("stalled"))!) as Record<string, unknown>;
    expect(line).toMatchObject({ level: "error", event: "stalled" });
    expect(line["message"]).toContain("the event loop stood still for 1 s");
  });

  test("that is stopped for a while, or only works, goes on", async () => {
    const { child, said } = watched(runtime, "2", "turn");
    while (!said.out.includes("\n")) await sleep(20);
    const pid = Number(/alive (\d+)/.exec(said.out)![1]);
    await sleep(1000);
    process.kill(pid, "SIGSTOP");
    await sleep(3500);
    process.kill(pid, "SIGCONT");
    const before = said.out.length;
    await sleep(3000);
    expect(child.exitCode ?? child.signalCode).toBeNull();
    expect(said.out.length).toBeGreaterThan(before);
    expect(said.err).toBe("");
    process.kill(pid, "SIGKILL");
    await once(child, "exit");
  });
});

import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { foreignEnvironment } from "../../../../engine/device/vectors.ts";
import { type KernelProfile, type Profile, profileSchema } from "../../../../engine/profile/profile.ts";
import { assemble } from "../../../../engine/profile/program/assemble.ts";
import { runProgram } from "../../../../engine/profile/program/run.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const main = fileURLToPath(new URL("../../../../cli/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "acutance-program-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json = join(folder, "profile.json");

function run(file: string, words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(file, words, {
    cwd: here,
    encoding: "utf8",
    // What other processes have left in the driver's cache is none of these tests'.
    env: { ...foreignEnvironment(), NO_COLOR: "1", MESA_SHADER_CACHE_DISABLE: "true" },
  });
  return { status, stdout, stderr };
}

function plain(...program: string[]) {
  const [file, ...words] = program;
  return run(file!, words);
}

function watched(flags: readonly string[], ...program: string[]) {
  rmSync(json, { force: true });
  const result = run(process.execPath, [main, "profile", "--no-roofs", "--json", json, ...flags, "--", ...program]);
  return { ...result, profile: () => profileSchema.parse(JSON.parse(readFileSync(json, "utf8"))) };
}

const bun = process.execPath;

function row({ kernels }: Profile, kernel: string): KernelProfile {
  const found = kernels.filter((entry) => entry.kernel === kernel);
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe("a program's profile", () => {
  const heat = ["heat.mjs", "30", "64"];

  test("has every dispatch with times, workgroups, bindings, scope and place; what the program computes is the same", () => {
    const { status, stdout, stderr, profile } = watched([], bun, ...heat);
    expect(stderr).not.toContain("error:");
    expect(status).toBe(0);
    const totals = plain(bun, ...heat).stdout;
    expect(totals.trim().split("\n")).toHaveLength(3);
    expect(stdout.startsWith(totals)).toBe(true);
    expect(stdout).toContain("by place");

    const found = profile();
    expect(found.command).toBe([bun, ...heat].join(" "));
    const step = row(found, "heat step");
    expect(step).toMatchObject({
      op: "steps",
      scope: "spreading",
      variant: "step",
      calls: 30,
      coldCalls: 1,
      grid: [8, 8, 1],
      workgroup: [8, 8, 1],
      constants: { RATE: 0.15 },
      shapes: { size: "[16] bytes", heat: "[4096] f32", next: "[4096] f32" },
      bytes: 16 + 2 * 4 * 64 * 64,
    });
    expect(found.sources[step.source]).toContain("fn step");
    expect(step.stacks![0]!.frames[0]).toMatch(/^spreadHeat \(heat\.mjs:\d+:\d+\)$/);
    expect(step.stacks![0]!.calls).toBe(30);
    const sum = row(found, "sumRows");
    expect(sum).toMatchObject({ op: "total", calls: 3, workgroup: [64, 1, 1], workgroupBytes: 256 });
    expect(row(found, "copyBufferToBuffer")).toMatchObject({ calls: 3, bytes: 512 });

    expect(found.span).toMatchObject({ dispatches: 36, submits: 6 });
    expect(found.events).toHaveLength(36);
    for (const { durationMs, startMs, recordedMs } of found.events) {
      expect(durationMs).toBeGreaterThan(0);
      // Nothing runs before it is recorded, as far as the clocks are known.
      expect(startMs).toBeGreaterThan(recordedMs - found.clock.alignment!.uncertaintyMs - 1);
    }
    // Dispatches of a pass run one after the other.
    const starts = found.events.map(({ startMs }) => startMs);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(found.memory.owners[0]).toEqual({ owner: "plate a", atPeakBytes: 4 * 64 * 64 });
    const call = (name: string) => found.hostCalls!.find((entry) => entry.call === name)!;
    expect(call("GPUComputePassEncoder.dispatchWorkgroups").calls).toBe(33);
    expect(call("GPUQueue.writeBuffer")).toMatchObject({ calls: 2, bytes: 4 * 64 * 64 + 16 });
    expect(call("GPUBuffer.mapAsync, waiting").calls).toBe(3);
  }, 60_000);

  test("has arithmetic where it is told", () => {
    const told = ["--flops", "heat step=6 * invocations + workgroup[0]", "--flops", "no such kernel=1"];
    const { status, profile } = watched(told, bun, ...heat);
    expect(status).toBe(0);
    const found = profile();
    const step = row(found, "heat step");
    expect(step.flops).toBe(6 * 64 * 64 + 8);
    expect(step.gflops! * step.milliseconds.median * 1e6).toBeCloseTo(step.flops!, 3);
    expect(row(found, "sumRows").flops).toBeNull();
    const wrong = watched(["--flops", "heat step=6 * elements"], bun, ...heat);
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("elements is neither")]);
  }, 60_000);

  test("of whole passes has one piece of work for each", () => {
    const { profile, status } = watched(["--whole-passes"], bun, ...heat);
    expect(status).toBe(0);
    const found = profile();
    expect(found.marks).toContain("whole-passes");
    expect(found.kernels.map(({ op, variant, calls }) => [op, variant, calls]).sort()).toEqual([
      ["steps", "10 dispatches", 3],
      ["total", "", 3],
    ]);
  }, 60_000);

  test("of one that fails is what it did until then, and the exit code is the program's", () => {
    for (const [how, code] of [
      ["crash", 1],
      ["exit", 7],
      ["kill", 137],
    ] as const) {
      const { status, stderr, profile } = watched([], bun, ...heat, how);
      expect([how, status]).toEqual([how, code]);
      expect(stderr).toContain("this is its profile until then");
      const found = profile();
      expect(found.marks).toContain("program-failed");
      expect(row(found, "heat step").calls).toBe(30);
      expect(row(found, "sumRows").calls).toBe(3);
    }
  }, 120_000);

  test("is refused where there is no WebGPU, with the program's own exit code", () => {
    const none = join(folder, "none.mjs");
    writeFileSync(none, "console.log('nothing'); process.exitCode = Number(process.argv[2]);");
    const failed = watched([], bun, none, "5");
    expect(failed.status).toBe(5);
    expect(failed.stdout).toBe("nothing\n");
    expect(failed.stderr).toContain("opened no WebGPU device");
    expect(watched([], bun, none, "0").status).toBe(1);
    const missing = watched([], "no-such-program");
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain("no-such-program: there is no such program");
  }, 60_000);

  test("has render passes with their draws, beside timestamps of the program's own too", () => {
    const expected = plain(bun, "triangle.mjs");
    expect(expected.status).toBe(0);
    const { status, stdout, profile } = watched([], bun, "triangle.mjs");
    expect(status).toBe(0);
    expect(stdout.slice(0, expected.stdout.length)).toBe(expected.stdout);
    const found = profile();
    const drawn = row(found, "triangle");
    expect(drawn).toMatchObject({ op: "drawing", variant: "2 draws", calls: 2, coldCalls: 1 });
    expect(drawn.milliseconds.least).toBeGreaterThan(0);
    expect(found.memory.owners).toContainEqual({ owner: "canvas", atPeakBytes: 4 * 64 * 64 });
  }, 60_000);

  test("is taken by the host's clock where there are no timestamps, each submit's time shared by its dispatches", async () => {
    const run = await runProgram([bun, join(here, "heat.mjs"), "10", "32"], { timestamps: false, outputTo: 2 });
    try {
      expect(run.code).toBe(0);
      const [thread] = run.threads;
      const around = { command: "", roofs: null, eventLimit: 100, microsecondsPerDispatch: null };
      const how = { split: true, failed: false, coldCache: false };
      const found = profileSchema.parse(assemble(thread!, thread!.devices[0]!, { ...around, ...how }));
      expect(found.clock).toEqual({ source: "wall", stepNanoseconds: 0 });
      expect(found.marks).toContain("wall-clock");
      const step = row(found, "heat step");
      expect(step.calls).toBe(10);
      expect(step.milliseconds.most / step.milliseconds.least).toBeCloseTo(1, 3);
    } finally {
      run.dispose();
    }
  }, 60_000);

  test("leaves features, limits, errors and results as they are", () => {
    const expected = plain(bun, "corners.mjs");
    expect(expected.status).toBe(0);
    expect(expected.stdout.split("\n").length).toBeGreaterThan(25);
    for (const flags of [[], ["--whole-passes"]]) {
      const { status, stdout, profile } = watched(flags, bun, "corners.mjs");
      expect(stdout.slice(0, expected.stdout.length)).toBe(expected.stdout);
      expect(status).toBe(0);
      if (flags.length > 0) continue;
      const scopes = profile().kernels.flatMap(({ kernel, scope }) => (kernel === "twice" ? [scope] : []));
      expect(scopes).toEqual(expect.arrayContaining(["turn 0", "turn 0/inner", "turn 5/inner"]));
    }
  }, 120_000);
});

const versionOf = (file: string) =>
  /\d+\.\d+/.exec(spawnSync(file, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[0];
const node = Number.parseFloat(versionOf("node") ?? "0");

test.skipIf(node < 24.2)(
  "Node's programs are watched too (skipped where node is older than 24.2)",
  () => {
    const { status, profile } = watched([], "node", "heat.mjs", "20", "64");
    expect(status).toBe(0);
    expect(profile().machine.runtime).toStartWith("node 2");
    expect(row(profile(), "heat step").calls).toBe(20);
    const corners = plain("node", "corners.mjs");
    expect(corners.stdout).toContain("query set: ");
    expect(watched([], "node", "corners.mjs").stdout.slice(0, corners.stdout.length)).toBe(corners.stdout);
  },
  60_000,
);

test.skipIf(versionOf("deno") === undefined)(
  "and Deno's, whose WebGPU is its own (skipped where there is no deno)",
  () => {
    const { status, profile } = watched([], "deno", "run", "--allow-env", "heat.mjs", "20", "64");
    expect(status).toBe(0);
    expect(profile().machine).toMatchObject({ runtime: expect.stringContaining("deno"), provider: "navigator.gpu" });
    expect(row(profile(), "heat step").calls).toBe(20);
  },
  60_000,
);

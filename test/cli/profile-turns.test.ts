import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { twoCommands } from "../../cli/profile-ab.ts";
import { profileSchema } from "../../engine/profile/profile.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-turns-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const heat = fileURLToPath(new URL("../engine/profile/program/heat.mjs", import.meta.url));
const json = join(folder, "out.json");

function profile(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "profile", ...words], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

test("ab runs two in turns and tells the ratios", () => {
  const sides = ["64", "1024"].map((side) => ["--", process.execPath, heat, "10", side]);
  const flags = ["--rounds", "5", "--json", json];
  const { status, stdout, stderr } = profile("ab", ...flags, "--fail-slower", "5%", ...sides.flat());
  // 256 times as much of everything.
  expect([status, stderr]).toEqual([1, expect.stringContaining("B is slower by more than 5.0 %")]);
  expect(stdout).toMatch(/^heat step · steps · spreading .* B slower/m);
  const found = JSON.parse(readFileSync(json, "utf8"));
  expect(found).toMatchObject({ rounds: 5, onlyA: [], onlyB: [] });
  expect(found.busy.ratio).toBeGreaterThan(2);
  expect(found.busy.low).toBeGreaterThan(1);
}, 120_000);

test("ab wants two, and ends with the one that fails", () => {
  expect(twoCommands(["a", "b", "--", "c"])).toEqual([["a", "b"], ["c"]]);
  expect(profile("ab", "--", "bun", "x").stderr).toContain("acutance profile ab -- FIRST … -- SECOND …");
  const crash = [process.execPath, heat, "10", "32", "crash"];
  const { status, stderr } = profile("ab", "--", ...crash, "--", ...crash);
  expect(status).toBe(1);
  expect(stderr).toContain("its times say nothing");
  expect(stderr).toContain("the program fails on purpose");
}, 60_000);

test("--until-noise runs again without output and pools the calls", () => {
  const flags = ["--no-roofs", "--until-noise", "0.0001%", "--most-runs", "3", "--json", json];
  const { status, stdout, stderr } = profile(...flags, "--", process.execPath, heat, "20", "64");
  expect(status).toBe(0);
  expect(stderr).toMatch(/note: 3 runs; the least known kernel, .*, is known to .*, not to 0.0 %/);
  expect(stdout.match(/^\d+\.\d+$/gm)).toHaveLength(2);
  const found = profileSchema.parse(JSON.parse(readFileSync(json, "utf8")));
  expect(found.marks).toContain("several-runs");
  expect(found.kernels.find(({ kernel }) => kernel === "heat step")).toMatchObject({ calls: 60, coldCalls: 3 });
  expect(found.events).toHaveLength(24);
}, 120_000);

test("--cold-cache fills the caches before each dispatch, and the results stay", () => {
  const program = ["--", process.execPath, heat, "10", "64"];
  const { status, stdout } = profile("--no-roofs", "--cold-cache", "--json", json, ...program);
  expect(status).toBe(0);
  const cold = profileSchema.parse(JSON.parse(readFileSync(json, "utf8")));
  expect(cold.marks).toContain("cold-cache");
  expect(cold.kernels.find(({ kernel }) => kernel === "heat step")!.calls).toBe(10);
  const warm = profile("--no-roofs", ...program);
  expect(stdout.split("\n")[0]).toBe(warm.stdout.split("\n")[0]!);
  // The copies stand between the dispatches: the adapter's span is longer than without.
  expect(cold.span.gpuMs).toBeGreaterThan(2 * cold.span.busyMs);
}, 60_000);

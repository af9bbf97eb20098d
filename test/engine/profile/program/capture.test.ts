import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync, zipSync } from "fflate";
import { readCapture } from "../../../../engine/harness/capture.ts";
import { namesUsedBy } from "../../../../engine/harness/reachable.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const main = fileURLToPath(new URL("../../../../cli/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "acutance-capture-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function acutance(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], {
    cwd: here,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

function captured(what: string, ...program: string[]) {
  const file = join(folder, `${what.replaceAll(/\W+/g, "-")}.zip`);
  const words = ["profile", "--no-roofs", "--capture", what, "--capture-file", file];
  return { file, ...acutance(...words, "--", process.execPath, ...program) };
}

const quick = ["--no-roofs", "--runs", "2", "--json"];

describe("a captured dispatch", () => {
  const heat = captured("heat step #3", "heat.mjs", "10", "64");

  test("has source, layout, constants, workgroups and buffers before and after", () => {
    expect(heat.status).toBe(0);
    expect(heat.stderr).toContain("captured heat step, 8 x 8 x 1 workgroups, 3 buffers");
    const { record, wgsl, bytesOf } = readCapture(heat.file);
    expect(record).toMatchObject({
      entryPoint: "step",
      constants: { RATE: 0.15 },
      grid: [8, 8, 1],
      scope: "spreading",
    });
    expect(wgsl).toContain("override RATE");
    expect([...new Uint32Array(bytesOf(0, 0)!.before.buffer)]).toEqual([64, 0, 0, 0]);
    // The third step in JavaScript, from the captured plate.
    const plate = new Float32Array(bytesOf(0, 1)!.before.buffer);
    const next = new Float32Array(bytesOf(0, 2)!.after.buffer);
    const at = 20 * 64 + 30;
    const around = plate[at - 1]! + plate[at + 1]! + plate[at - 64]! + plate[at + 64]!;
    expect(next[at]!).toBeCloseTo(plate[at]! + 0.15 * (around - 4 * plate[at]!), 5);
    expect(new Float32Array(bytesOf(0, 1)!.after.buffer)).toEqual(plate);
  });

  test("is run, compared with what it left in the program, timed and swept", () => {
    const run = acutance("kernel", "run", heat.file, ...quick);
    expect(run.status).toBe(0);
    const [result] = JSON.parse(run.stdout).results;
    expect(result.run.check).toMatchObject({
      operation: "the capture",
      operands: { out: "next" },
      wrong: 0,
      absolute: 0,
    });
    expect(result.run.milliseconds.median).toBeGreaterThan(0);
    const sweep = acutance("kernel", "run", heat.file, ...quick, "--sweep", "RATE=0.15,0.2");
    const found = JSON.parse(sweep.stdout).results as { problem?: string }[];
    expect(found[0]!.problem).toBeUndefined();
    expect(found[1]!.problem).toMatch(/wrong result: \d+ of 4096 elements.*the capture has/);
  }, 180_000);

  test("whose result is another fails, and one that is cut is refused", () => {
    const files = unzipSync(readFileSync(heat.file));
    const after = Object.keys(files).find((name) => name.endsWith("0-2.after.bin"))!;
    const wrong = new Float32Array(files[after]!.slice().buffer);
    wrong[5]! += 0.5;
    const other = join(folder, "other.zip");
    writeFileSync(other, zipSync({ ...files, [after]: new Uint8Array(wrong.buffer) }));
    const run = acutance("kernel", "run", other, ...quick);
    expect(run.status).toBe(1);
    expect(run.stdout).toContain("wrong result: 1 of 4096 elements; the first at [5]");
    writeFileSync(other, zipSync({ ...files, [after]: new Uint8Array(12) }));
    const cut = acutance("kernel", "run", other, ...quick);
    expect([cut.status, cut.stderr]).toEqual([2, expect.stringContaining("has 12 bytes, expected 16384")]);
    writeFileSync(other, "no zip");
    expect(acutance("kernel", "run", other).stderr).toContain("is no zip archive");
  }, 180_000);

  test("of dynamic offsets has what the dispatch saw", () => {
    const { file, status } = captured("twice #2", "corners.mjs");
    expect(status).toBe(0);
    const { record, bytesOf } = readCapture(file);
    expect(record.buffers.map(({ group, binding, bytes }) => [group, binding, bytes])).toEqual([
      [0, 0, 16],
      [1, 0, 16],
    ]);
    // x = 2 x + y, the window that starts at byte 256.
    expect([...new Uint32Array(bytesOf(1, 0)!.before.buffer)]).toEqual([10, 20, 30, 40]);
    const [before, after] = [bytesOf(0, 0)!.before, bytesOf(0, 0)!.after].map((bytes) => new Uint32Array(bytes.buffer));
    expect([...after!]).toEqual([...before!].map((x, i) => 2 * x + 10 * (i + 1)));
    expect(acutance("kernel", "run", file, ...quick).status).toBe(0);
  }, 180_000);

  test("is one of the engine's own as well", () => {
    const file = join(folder, "own.zip");
    const flags = ["--no-roofs", "--capture", "conv/tile #2", "--capture-file", file];
    const own = acutance("profile", ...flags, "--", "bench", "--match", "matmul 512", "--runs", "2", "--no-tune");
    expect([own.status, own.stderr]).toEqual([0, expect.stringContaining("captured conv/tile")]);
    const { record } = readCapture(file);
    expect(record).toMatchObject({ kernel: "conv/tile", entryPoint: "main", constants: {} });
    const run = acutance("kernel", "run", file, ...quick);
    const [result] = JSON.parse(run.stdout).results;
    expect(result.run.check).toMatchObject({ operation: "the capture", elements: 512 * 512, wrong: 0 });
    expect(run.status).toBe(0);
  }, 180_000);

  test("keeps textures and samplers", () => {
    const { file, status, stderr } = captured("mix up", "textures.mjs");
    expect([status, stderr]).toEqual([0, expect.stringContaining("captured mix up")]);
    const { record, bytesOf } = readCapture(file);
    expect(record.samplers).toEqual([
      { group: 0, binding: 0, descriptor: { magFilter: "linear", minFilter: "linear" } },
    ]);
    expect(record.buffers.map(({ texture }) => texture?.format)).toEqual([
      "rgba8unorm",
      "rg32uint",
      "rgba8unorm",
      undefined,
    ]);
    expect([...new Uint32Array(bytesOf(0, 2)!.before.buffer, 256, 4)]).toEqual([32, 33, 34, 35]);
    const run = acutance("kernel", "run", file, ...quick);
    const [result] = JSON.parse(run.stdout).results;
    expect(result.run.check).toMatchObject({ operands: { out: "sums" }, wrong: 0, elements: 256 });
    expect(run.status).toBe(0);
  }, 180_000);

  test("that did not happen is told", () => {
    const { status, stderr } = captured("no such kernel #2", "heat.mjs", "10", "32");
    expect(status).toBe(1);
    expect(stderr).toContain('there was no dispatch 2 of "no such kernel"; pipelines: heat step, sumRows');
  }, 180_000);
});

test("names that an entry point uses are those of the functions it calls too", () => {
  const used = namesUsedBy(
    `fn inner() -> u32 { return a[0]; } // c
fn unused() { d[0] = 1u; }
@compute @workgroup_size(1) fn main() { if (true) { b[0] = inner(); } }`,
    "main",
  );
  expect(["a", "b", "c", "d"].filter((name) => used.has(name))).toEqual(["a", "b"]);
});

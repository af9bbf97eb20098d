import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { historyPage } from "../../cli/bench-history.ts";
import { measureUntil } from "../../engine/bench.ts";
import {
  addRecord,
  type BenchRecord,
  calibratedNoise,
  gate,
  histories,
  readHistory,
} from "../../engine/bench-history.ts";
import { relativeNoise } from "../../engine/tune/noise.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-history-"));
afterAll(() => rmSync(folder, { recursive: true }));
const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

function acutance(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "bench", ...words], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

let second = 0;
function record(commit: string, ms: number, other: Partial<BenchRecord["results"][number]> = {}): BenchRecord {
  const at = new Date(1.75e12 + 1000 * second++).toISOString();
  const result = { name: "product", medianMs: ms, runs: 5, noise: 0.02, tainted: false, ...other };
  const about = { commit, dirty: false, adapter: "an adapter", machine: "a machine" };
  return { format: "acutance-bench", version: 1, at, ...about, results: [result] };
}

const one = (records: BenchRecord[]) => histories(records).at(-1)!;

describe("the gate", () => {
  const steady = [record("a", 10), record("a", 10.2), record("a", 9.8), record("b", 10.1), record("b", 9.9)];

  test("fails beyond threshold and calibrated noise only", () => {
    expect(calibratedNoise(steady, "product")).toBeCloseTo(0.0182, 3);
    expect(gate(one([...steady, record("c", 10.3)])).rows[0]).toMatchObject({ state: "same", isCalibrated: true });
    const found = gate(one([...steady, record("c", 11.5)]));
    expect(found).toMatchObject({ commit: "c", against: ["a", "b"], regressions: 1 });
    expect(found.rows[0]).toMatchObject({ beforeMs: 10, nowMs: 11.5, state: "slower" });
    expect(gate(one([...steady, record("c", 8)])).rows[0]!.state).toBe("faster");
    // On a machine whose records differ by 20 % the same growth says nothing.
    const wild = [record("a", 8), record("a", 12), record("a", 10), record("b", 13), record("b", 8.5)];
    expect(gate(one([...wild, record("c", 11.5)])).rows[0]!.state).toBe("same");
  });

  test("takes the noise within runs where no commit was measured twice, and leaves tainted results out", () => {
    const [row] = gate(one([record("a", 10), record("b", 10.6)])).rows;
    expect(row).toMatchObject({ isCalibrated: false, state: "slower" });
    expect(row!.noise).toBeCloseTo(2 * 0.01 * Math.sqrt(2), 9);
    const tainted = [...steady, record("c", 30, { tainted: true }), record("c", 10)];
    expect(gate(one(tainted)).rows[0]).toMatchObject({ nowMs: 10, state: "same" });
    expect(gate(one([...steady, record("c", 10.1)]), { against: "b" }).against).toEqual(["b"]);
    expect(() => gate(one([record("a", 10)]))).toThrow("nothing to compare a with: it has records of one commit only");
    expect(() => gate(one(steady), { against: "zz" })).toThrow("no records of zz");
  });

  test("keeps adapters apart", () => {
    const other = { ...record("c", 99), adapter: "another" };
    const all = histories([...steady, other]);
    expect(all.map(({ adapter, records }) => [adapter, records.length])).toEqual([
      ["an adapter", 5],
      ["another", 1],
    ]);
  });
});

test("a benchmark is measured again until its median is known well enough", async () => {
  let round = 0;
  const wild = [1, 2, 1, 2, 1.5];
  const benchmark = {
    name: "product",
    // Wild at first, steady later.
    measure: async () => {
      const times = (round++ < 2 ? wild : Array.from({ length: 30 }, (_, i) => 1 + i / 1e4)).toSorted();
      return {
        name: "product",
        medianMs: times[2]!,
        leastMs: 1,
        mostMs: 2,
        times,
        gflops: 10,
        cost: { flops: 1, bytes: 1 },
      };
    },
  };
  const once = await measureUntil(benchmark, undefined as never, 5, undefined);
  expect(once.times).toEqual(wild.toSorted());
  round = 0;
  const found = await measureUntil(benchmark, undefined as never, 5, 0.02);
  expect(round).toBeGreaterThan(2);
  expect(relativeNoise(found.times!)).toBeLessThanOrEqual(0.02);
  expect(found.medianMs).toBe(found.times![Math.floor(found.times!.length / 2)]!);
  expect(found.gflops! * found.medianMs).toBeCloseTo(10 * (1 + 2 / 1e4), 6);
});

test("bench keeps results by commit and adapter, history plots them, gate judges them by its exit code", () => {
  const file = join(folder, "kept.jsonl");
  const kept = acutance("--match", "matmul 512", "--runs", "2", "--rounds", "2", "--record", file);
  expect(kept.stderr).not.toContain("error:");
  expect(kept.status).toBe(0);
  const records = readHistory(file);
  expect(records).toHaveLength(2);
  expect(records[0]).toMatchObject({ commit: "unknown", results: [{ name: "matmul 512x512x512", runs: 2 }] });
  expect(calibratedNoise(records, "matmul 512x512x512")).toBeUndefined(); // outside of a repository states are unknown
  const [first] = records as [BenchRecord];
  const faster = (commit: string, ms: number): BenchRecord => ({
    ...first,
    commit,
    at: new Date().toISOString(),
    results: first.results.map((result) => ({ ...result, medianMs: ms, tainted: false })),
  });
  addRecord(file, faster("d", 1));
  addRecord(file, faster("d", 1.01));
  addRecord(file, faster("e", 5));
  const failed = acutance("gate", file, "--against", "d");
  expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining("slower: matmul 512x512x512")]);
  addRecord(file, faster("f", 1.005));
  const passed = acutance("gate", file, "--against", "d");
  expect(passed.status).toBe(0);
  expect(passed.stdout).toContain("0 of 1 are slower");

  expect(acutance("history", file).status).toBe(0);
  const page = readFileSync(join(folder, "bench-history.html"), "utf8");
  expect(page).toBe(historyPage(histories(readHistory(file))));
  expect(page).toContain("<svg");
  expect(page).toContain("matmul 512x512x512");
  appendFileSync(file, '{"format":"acutance-bench"}\n');
  const broken = acutance("gate", file);
  expect([broken.status, broken.stderr]).toEqual([1, expect.stringContaining("kept.jsonl, line 7: no record")]);
  expect(acutance("gate", join(folder, "missing.jsonl")).stderr).toContain("acutance bench --record makes it");
}, 120_000);

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { runArguments } from "../../../engine/device/check.ts";
import { launchedRank } from "../../../engine/ranks/launch.ts";
import { addInOrder, evenParts } from "../../../engine/ranks/ranks.ts";
import { mpirun, withoutMpi } from "../../models/training/with-ranks.ts";

test("parts are equal or one longer, in order", () => {
  expect(evenParts(10, 4)).toEqual([0, 2, 5, 7, 10]);
  expect(evenParts(2, 4)).toEqual([0, 0, 1, 1, 2]);
  expect(evenParts(0, 3)).toEqual([0, 0, 0, 0]);
});

test("sums are made in the order of the ranks, each rounded to f32", () => {
  const total = new Float32Array(2);
  addInOrder([Float32Array.of(2 ** 24, 1), Float32Array.of(1, 2), Float32Array.of(1, 3)], total);
  // 2²⁴ + 1 is no f32, 2²⁴ + 2 is one.
  expect([...total]).toEqual([2 ** 24, 6]);
});

test("launchers are known by their variables", () => {
  expect(launchedRank({})).toBeUndefined();
  expect(launchedRank({ OMPI_COMM_WORLD_RANK: "2", OMPI_COMM_WORLD_SIZE: "4" })).toEqual({ rank: 2, size: 4 });
  expect(launchedRank({ PMI_RANK: "0", PMI_SIZE: "8" })).toEqual({ rank: 0, size: 8 });
  expect(launchedRank({ PMI_RANK: "0" })).toBeUndefined();
});

const script = new URL("./process.ts", import.meta.url).pathname;

test("without a library the error says what to install", () => {
  const { stderr, status } = spawnSync(process.execPath, [...runArguments(), script], {
    encoding: "utf8",
    env: { ...process.env, ACUTANCE_MPI_LIBRARY: "/nowhere/libmpi.so" },
  });
  expect(status).toBe(3);
  expect(stderr).toContain("no MPI library can be loaded (/nowhere/libmpi.so: ");
  expect(stderr).toContain("apt-get install openmpi-bin libopenmpi-dev");
});

describe.skipIf(withoutMpi !== undefined)(`exchanges over MPI${withoutMpi ? ` (${withoutMpi})` : ""}`, () => {
  test("of 3 ranks, waiting in both ways", () => {
    const [command, ...words] = [...mpirun(3), process.execPath, ...runArguments(), script];
    const { stdout, stderr, status } = spawnSync(command!, words, { encoding: "utf8", timeout: 120_000 });
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    expect(stdout.trim().split("\n").sort()).toEqual(["0 done", "1 done", "2 done"]);
  });

  test("a rank that dies is named by another", () => {
    const [command, ...words] = [...mpirun(2), process.execPath, ...runArguments(), script, "die"];
    const { stdout, status } = spawnSync(command!, words, { encoding: "utf8", timeout: 120_000 });
    expect(status).not.toBe(0);
    expect(stdout).toMatch(/^rank 1 of 2 \(process \d+ on .+\) has died$/m);
  });
});

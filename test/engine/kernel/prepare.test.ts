import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runArguments } from "../../../engine/device/check.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { matmul, relu, softmax } from "../../../engine/index.ts";
import { Tensor } from "../../../engine/tensor.ts";

const device = await openDevice();
const folder = mkdtempSync(join(tmpdir(), "acutance-prepare-"));
afterAll(() => {
  device.close();
  rmSync(folder, { recursive: true });
});

const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
const a = Tensor.from(device, numbers(35), [5, 7]);
const b = Tensor.from(device, numbers(63), [7, 9]);
const work = () => softmax(relu(matmul(a, b)));

test("what was prepared is not done, and makes the same bits afterwards", async () => {
  const { dispatches } = device.stream;
  await device.prepare(work);
  expect(device.stream.dispatches).toBe(dispatches);
  const prepared = await device.scope(() => ({ read: work().read() })).read;
  const other = await openDevice();
  try {
    const [c, d] = [Tensor.from(other, numbers(35), [5, 7]), Tensor.from(other, numbers(63), [7, 9])];
    expect(prepared).toEqual(await other.scope(() => ({ read: softmax(relu(matmul(c, d))).read() })).read);
  } finally {
    other.close();
  }
});

test("drivers that compile a kernel when its pipeline is made have the pipelines afterwards", async () => {
  const other = await openDevice();
  try {
    other.kernels.another = undefined;
    const [c, d] = [Tensor.from(other, numbers(35), [5, 7]), Tensor.from(other, numbers(63), [7, 9])];
    const own = () => softmax(relu(matmul(c, d)));
    const before = other.kernels.cached.pipelines;
    await other.prepare(own);
    const { pipelines } = other.kernels.cached;
    expect(pipelines).toBeGreaterThanOrEqual(before + 3);
    await other.scope(() => ({ read: own().read() })).read;
    expect(other.kernels.cached.pipelines).toBe(pipelines);
  } finally {
    other.close();
  }
});

test("what the work throws comes through, and nothing of it stays", async () => {
  await expect(device.prepare(() => matmul(a, a))).rejects.toThrow(/inner extents/);
  await device.prepare(work);
});

test("work of which everything is there takes no other device", async () => {
  const other = device.kernels.another;
  await device.scope(() => ({ read: work().read() })).read;
  device.kernels.another = async () => {
    throw new Error("asked for");
  };
  try {
    await device.prepare(work);
  } finally {
    device.kernels.another = other;
  }
});

describe.skipIf(!device.kernels.another)("a driver that compiles at the first dispatch", () => {
  /** Shaders in the cache of a fresh process that does this with the device. */
  function cached(cache: string, what: string): number {
    const program = `
      import { openDevice } from "${import.meta.dir}/../../../engine/device/open.ts";
      import { matmul, relu, softmax, Tensor } from "${import.meta.dir}/../../../engine/index.ts";
      const device = await openDevice();
      const numbers = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i));
      const a = Tensor.from(device, numbers(35), [5, 7]);
      const b = Tensor.from(device, numbers(63), [7, 9]);
      const work = () => softmax(relu(matmul(a, b)));
      ${what}
      device.close();`;
    const env = {
      ...process.env,
      MESA_SHADER_CACHE_DIR: cache,
      MESA_DISK_CACHE_SINGLE_FILE: "0",
      MESA_DISK_CACHE_MULTI_FILE: "1",
    };
    const file = join(folder, "program.ts");
    writeFileSync(file, program);
    const { status, stderr } = spawnSync(process.execPath, [...runArguments(), file], { env, encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    return readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  }

  test("has compiled all of it before it is done", () => {
    const opened = cached(join(folder, "opened"), "await device.finish();");
    const prepared = cached(join(folder, "prepared"), "await device.prepare(work);");
    expect(prepared).toBeGreaterThanOrEqual(opened + 3);
    const done = cached(join(folder, "prepared"), "await device.scope(() => ({ read: work().read() })).read;");
    expect(done).toBe(prepared);
  });
});

import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runArguments } from "../../../engine/device/check.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { matmul, relu, softmax } from "../../../engine/index.ts";
import { compilerAhead } from "../../../engine/kernel/ahead.ts";
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
    other.kernels.ahead = undefined;
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

test("work of which everything is there asks for nothing", async () => {
  const { ahead } = device.kernels;
  await device.scope(() => ({ read: work().read() })).read;
  device.kernels.ahead = async () => {
    throw new Error("asked for");
  };
  try {
    await device.prepare(work);
  } finally {
    device.kernels.ahead = ahead;
  }
});

describe.skipIf(!device.kernels.ahead)("a driver that compiles at the first dispatch", () => {
  /** Shaders in the driver's cache after a fresh process that does this with the device, and how many devices it opened meanwhile. */
  function freshProcess(cache: string, what: string): { readonly shaders: number; readonly devices: number } {
    const engine = new URL("../../../engine", import.meta.url).pathname;
    const program = `
      import { openDevice } from "${engine}/device/open.ts";
      import { findGpu } from "${engine}/device/provider.ts";
      import { matmul, relu, softmax, Tensor } from "${engine}/index.ts";
      const device = await openDevice();
      const numbers = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i));
      const a = Tensor.from(device, numbers(35), [5, 7]);
      const b = Tensor.from(device, numbers(63), [7, 9]);
      const work = () => softmax(relu(matmul(a, b)));
      let devices = 0;
      const prototype = Object.getPrototypeOf(await (await findGpu()).gpu.requestAdapter());
      const { requestDevice } = prototype;
      prototype.requestDevice = function (...words) {
        devices++;
        return requestDevice.apply(this, words);
      };
      ${what}
      console.log(devices);
      device.close();`;
    const env = {
      ...process.env,
      ACUTANCE_CACHE: join(folder, "acutance"),
      MESA_SHADER_CACHE_DIR: cache,
      MESA_DISK_CACHE_SINGLE_FILE: "0",
      MESA_DISK_CACHE_MULTI_FILE: "1",
    };
    const file = join(folder, "program.ts");
    writeFileSync(file, program);
    const child = spawnSync(process.execPath, [...runArguments(), file], { env, encoding: "utf8" });
    if (child.status !== 0) throw new Error(child.stderr);
    const shaders = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return { shaders: shaders.length, devices: Number(child.stdout) };
  }

  test("has compiled all of it before it is done, once", () => {
    const cache = join(folder, "prepared");
    const prepare = "await device.prepare(work);";
    const opened = freshProcess(join(folder, "opened"), "await device.finish();");
    const prepared = freshProcess(cache, prepare);
    expect(opened.devices).toBe(0);
    expect(prepared.devices).toBeGreaterThan(1);
    expect(prepared.shaders).toBeGreaterThanOrEqual(opened.shaders + 3);
    const done = freshProcess(cache, "await device.scope(() => ({ read: work().read() })).read;");
    expect(done).toEqual({ shaders: prepared.shaders, devices: 0 });
    // A later process knows, until somebody clears the driver's cache.
    expect(freshProcess(cache, prepare)).toEqual(done);
    rmSync(cache, { recursive: true });
    expect(freshProcess(cache, prepare)).toEqual(prepared);
  });

  test("is left alone where it keeps no shaders", () => {
    const before = process.env["MESA_SHADER_CACHE_DISABLE"];
    process.env["MESA_SHADER_CACHE_DISABLE"] = "true";
    try {
      expect(compilerAhead(device, () => Promise.reject(new Error("opened")))).toBeUndefined();
    } finally {
      if (before === undefined) delete process.env["MESA_SHADER_CACHE_DISABLE"];
      else process.env["MESA_SHADER_CACHE_DISABLE"] = before;
    }
  });
});

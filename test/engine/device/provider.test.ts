import { expect, test } from "bun:test";
import { dawnOptions } from "../../../engine/device/dawn-toggles.ts";
import { findGpu, loadFailure } from "../../../engine/device/provider.ts";
import { collectGarbage } from "../garbage.ts";

test("timestamps are exact and workgroup memory is not cleared unless the caller asks for it", () => {
  expect(dawnOptions({})).toEqual([
    "enable-dawn-features=disable_workgroup_init",
    "disable-dawn-features=timestamp_quantization",
  ]);
  const toggles = { enable: ["timestamp_quantization"], disable: ["disable_workgroup_init"] };
  expect(dawnOptions({ toggles })).toEqual([
    "enable-dawn-features=timestamp_quantization",
    "disable-dawn-features=disable_workgroup_init",
  ]);
});

test("toggles of the environment come last", () => {
  expect(dawnOptions({ toggles: { disable: ["a"] } }, "a, b,-disable_workgroup_init")).toEqual([
    "enable-dawn-features=a,b",
    "disable-dawn-features=timestamp_quantization,disable_workgroup_init",
  ]);
});

test("toggles, backend and adapter become create() options", () => {
  expect(
    dawnOptions({ toggles: { enable: ["a", "b"], disable: ["c"] }, backend: "vulkan", adapter: "llvmpipe" }),
  ).toEqual([
    "backend=vulkan",
    "adapter=llvmpipe",
    "enable-dawn-features=disable_workgroup_init,a,b",
    "disable-dawn-features=timestamp_quantization,c",
  ]);
});

test("an injected GPU is used as it is", async () => {
  const gpu = { requestAdapter: async () => null } as unknown as GPU;
  expect((await findGpu({ gpu })).gpu).toBe(gpu);
});

test("the GPU object is made once and pinned on globalThis", async () => {
  const first = await findGpu({ provider: "webgpu" });
  const second = await findGpu({ provider: "webgpu" });
  expect(second.gpu).toBe(first.gpu);
  expect(first.provider).toBe("webgpu");
  const pins = (globalThis as Record<symbol, unknown>)[Symbol.for("acutance.gpu")] as Map<string, GPU>;
  expect([...pins.values()]).toContain(first.gpu);
});

test("the device survives garbage collection of everything that is not pinned", async () => {
  const device = await (await (await findGpu()).gpu.requestAdapter())!.requestDevice();
  for (let round = 0; round < 3; round++) {
    await collectGarbage();
    for (let submit = 0; submit < 20; submit++) device.queue.submit([device.createCommandEncoder().finish()]);
    await device.queue.onSubmittedWorkDone();
  }
  device.destroy();
});

test("asking for navigator.gpu where there is none is an error with advice", async () => {
  if ((globalThis.navigator as Navigator | undefined)?.gpu) return;
  await expect(findGpu({ provider: "navigator.gpu" })).rejects.toMatchObject({
    name: "GpuError",
    message: "this runtime has no navigator.gpu",
  });
});

test("a failed import says whether the platform, the package or a library is missing", () => {
  const platform = loadFailure(new Error("Cannot find module '/x/webgpu/dist/freebsd-x64/dawn.node'"));
  expect(platform.message).toContain("no prebuilt Dawn for");
  const absent = loadFailure(new Error("Cannot find package 'webgpu' from '/x/provider.ts'"));
  expect(absent.advice).toContain("bun install");
  const library = loadFailure(new Error("libstdc++.so.6: cannot open shared object file: No such file (dawn.node)"));
  expect(library.advice).toContain("libstdc++6");
});

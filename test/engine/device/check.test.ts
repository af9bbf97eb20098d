import { expect, test } from "bun:test";
import { checkAdapter, loaderArguments, readAnswer } from "../../../engine/device/check.ts";
import { adapterName, reportedLimits } from "../../../engine/device/probe.ts";
import { looksLikeSoftware } from "../../../engine/device/software.ts";

test("a working adapter is reported with its limits", async () => {
  const check = await checkAdapter();
  if (!check.ok) throw new Error(check.message);
  for (const name of reportedLimits) expect(check.report.limits[name]).toBeGreaterThan(0);
  expect(check.report.firstDispatchMs).toBeGreaterThan(0);
  expect(check.report.features.length).toBeGreaterThan(0);
});

test("a loader without drivers gives NoAdapterError and names the variable", async () => {
  if (process.platform !== "linux") return;
  // Without Vulkan, Deno would go on to OpenGL.
  const environment = { ...process.env, VK_DRIVER_FILES: "/nonexistent.json", DENO_WEBGPU_BACKEND: "vulkan" };
  const check = await checkAdapter({ environment });
  expect(check).toMatchObject({ ok: false, kind: "NoAdapterError" });
  expect(check.ok ? "" : check.message).toContain("VK_DRIVER_FILES=/nonexistent.json");
});

test("a crash without an answer tells the signal and the last words", () => {
  const check = readAnswer("", "a\nb\nc\nillegal access", null, "SIGSEGV", 1000);
  expect(check).toMatchObject({ ok: false, kind: "Crash" });
  expect(check.ok ? "" : check.message).toBe("the process that tried the GPU ended by SIGSEGV: b | c | illegal access");
});

test("a crash after the answer does not count, a cut answer does", () => {
  expect(readAnswer('{"ok":true,"report":{}}\n', "", null, "SIGSEGV", 1000).ok).toBe(true);
  expect(readAnswer('{"ok":tr', "", null, "SIGSEGV", 1000)).toMatchObject({ kind: "Crash" });
});

test("a process that was ended for its time is a timeout", () => {
  expect(readAnswer("", "", null, "SIGKILL", 1500)).toMatchObject({
    kind: "Timeout",
    message: "the GPU driver did not finish a small kernel within 1.5 s",
  });
});

test("software adapters are known by name", () => {
  expect(looksLikeSoftware("mesa llvmpipe (LLVM 15.0.6)")).toBe(true);
  expect(looksLikeSoftware("Microsoft Basic Render Driver")).toBe(true);
  expect(looksLikeSoftware("nvidia ada NVIDIA RTX 4090")).toBe(false);
});

test("an adapter is called by a name, not by a number", () => {
  expect(adapterName({ device: "NVIDIA H100", description: "driver 570" })).toBe("NVIDIA H100");
  expect(adapterName({ device: "0", description: "llvmpipe (LLVM 15)" })).toBe("llvmpipe (LLVM 15)");
  expect(adapterName({ device: "", description: "" })).toBe("unnamed");
});

test("a loader that Node was started with goes on to the process that tries the GPU", () => {
  expect(
    loaderArguments(["--expose-gc", "--require", "a.cjs", "--import=b.mjs", "--test", "--import", "c.mjs"]),
  ).toEqual(["--require", "a.cjs", "--import=b.mjs", "--import", "c.mjs"]);
});

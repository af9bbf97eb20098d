import { accessSync, constants, existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Device } from "../device/device.ts";
import { environmentVariable } from "../host/environment.ts";
import { createSha256 } from "../host/sha256.ts";
import { Cache, deviceKey } from "../tune/cache.ts";
import type { AheadKernel, CompileAhead } from "./dispatch.ts";
import type { KernelSource } from "./source.ts";
import { parameterBytes } from "./stream.ts";

/** Numeric values of the WebGPU usage flags. */
const usage = { uniform: 64, storage: 128, indirect: 256 } as const;
const textureUsage = { binding: 4 } as const;

/** Devices that compile at a time, at most: the longest kernel of a network takes as long as a fifth of them all. */
const mostThreads = 6;

/**
 * How kernels are compiled ahead on Mesa's software driver, which compiles a kernel at its first dispatch, one after another on the thread of a
 * device: on further devices, each of which has a thread. What one of them compiled, others find in the driver's cache of shaders.
 * Kernels that were compiled so by an earlier process are left out.
 * @param open opens one more device of the adapter
 * @returns undefined on other drivers, and where there is no such cache or one thread
 */
export function compilerAhead(device: Device, open: () => Promise<GPUDevice>): CompileAhead | undefined {
  const threads = Math.min(mostThreads, globalThis.navigator?.hardwareConcurrency ?? 1);
  if (threads < 2 || !/llvmpipe/i.test(device.info.description)) return undefined;
  try {
    const folder = shaderFolder();
    if (folder === undefined) return undefined;
    const compiled = new Cache({ name: "compiled", version: 1, schema: z.array(z.string()) });
    return async (kernels) => {
      const before = await compiled.read(keyOf(device, folder));
      const known = new Set(before);
      const left = kernels.filter(({ source }) => !known.has(hashOf(source)));
      if (left.length === 0) return;
      await compileOnThreads(left, open, threads);
      for (const { source } of left) known.add(hashOf(source));
      // The driver has made its folder now.
      await compiled.write(keyOf(device, folder), [...known]);
    };
  } catch {
    // Without permission to look (Deno's sandbox) kernels are compiled as they are called.
    return undefined;
  }
}

/** Folder that the driver keeps compiled shaders below, where it can. */
function shaderFolder(): string | undefined {
  if (/^(1|true|y|yes)$/i.test(environmentVariable("MESA_SHADER_CACHE_DISABLE") ?? "")) return undefined;
  const folder =
    environmentVariable("MESA_SHADER_CACHE_DIR") ?? environmentVariable("XDG_CACHE_HOME") ?? join(homedir(), ".cache");
  let there = folder;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  try {
    accessSync(there, constants.W_OK);
    return folder;
  } catch {
    return undefined;
  }
}

/** What compiled kernels are kept for: the device, and the driver's folder as long as it is the same one. */
function keyOf(device: Device, folder: string) {
  const made = ["mesa_shader_cache_db", "mesa_shader_cache"].map((name) => {
    const { ino, birthtimeMs } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? { ino: 0, birthtimeMs: 0 };
    return `${ino} of ${birthtimeMs}`;
  });
  return { ...deviceKey(device), shaders: `${folder}: ${made.join(", ")}` };
}

function hashOf({ wgsl }: KernelSource): string {
  const hash = createSha256();
  hash.update(wgsl);
  return hash.hex().slice(0, 16);
}

/** Compiles kernels on so many devices, the longest first, each on the one with least to do. */
async function compileOnThreads(
  kernels: readonly AheadKernel[],
  open: () => Promise<GPUDevice>,
  threads: number,
): Promise<void> {
  const shares = Array.from({ length: Math.min(threads, kernels.length) }, () => ({
    size: 0,
    kernels: [] as AheadKernel[],
  }));
  for (const kernel of [...kernels].sort((a, b) => b.source.wgsl.length - a.source.wgsl.length)) {
    const least = shares.reduce((a, b) => (b.size < a.size ? b : a));
    least.kernels.push(kernel);
    least.size += kernel.source.wgsl.length;
  }
  const gpus: GPUDevice[] = [];
  try {
    for (const _ of shares) gpus.push(await open());
    for (const gpu of gpus) {
      // Whatever fails here fails again, and is told, where the kernel is used.
      gpu.addEventListener("uncapturederror", (event) => event.preventDefault?.());
    }
    // The driver makes no pipeline for a device that is at work.
    const commands = gpus.map((gpu, i) => dispatchesOfNothing(gpu, shares[i]!.kernels));
    gpus.forEach((gpu, i) => {
      gpu.queue.submit([commands[i]!]);
    });
    await Promise.all(gpus.map((gpu) => gpu.queue.onSubmittedWorkDone()));
  } finally {
    for (const gpu of gpus) gpu.destroy();
  }
}

/** The dispatches have no workgroups, which the driver learns from a buffer, and so after it has compiled. */
function dispatchesOfNothing(gpu: GPUDevice, kernels: readonly AheadKernel[]): GPUCommandBuffer {
  const noGroups = gpu.createBuffer({ size: 12, usage: usage.indirect });
  const parameters = gpu.createBuffer({ size: parameterBytes, usage: usage.uniform });
  const buffers = new Map<number, GPUBuffer>();
  const bufferOf = (binding: number) => {
    const buffer = buffers.get(binding) ?? gpu.createBuffer({ size: 256, usage: usage.storage });
    buffers.set(binding, buffer);
    return { buffer };
  };
  const texture = gpu.createTexture({ size: [1, 1], format: "rgba32uint", usage: textureUsage.binding });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { source, layout } of kernels) {
    const bindGroupLayout = gpu.createBindGroupLayout(layout);
    const pipeline = gpu.createComputePipeline({
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
      compute: { module: gpu.createShaderModule({ code: source.wgsl }), entryPoint: "main" },
    });
    const group = gpu.createBindGroup({
      layout: bindGroupLayout,
      entries: [
        ...source.bindings.map((slot) => ({
          binding: slot.binding,
          resource: slot.texture ? texture.createView() : bufferOf(slot.binding),
        })),
        { binding: source.parameterBinding, resource: { buffer: parameters, size: parameterBytes } },
      ],
    });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, [0]);
    pass.dispatchWorkgroupsIndirect(noGroups, 0);
  }
  pass.end();
  return encoder.finish();
}

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { FindGpuOptions, ProviderName } from "./dawn-toggles.ts";
import { GpuError, NoAdapterError } from "./errors.ts";
import { findGpu } from "./provider.ts";
import { looksLikeSoftware } from "./software.ts";
import { vectorsWidened } from "./vectors.ts";

/** What one adapter is and what it can do, and how the first kernel on it went. */
export interface AdapterReport {
  readonly runtime: string;
  readonly provider: ProviderName;
  readonly providerVersion: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** The driver's name and version where the provider tells it, else "". */
  readonly driver: string;
  /** True when shaders run on the CPU. */
  readonly software: boolean;
  readonly features: readonly string[];
  /** Counts and bytes, by WebGPU's names. */
  readonly limits: Readonly<Record<ReportedLimit, number>>;
  readonly subgroups: { readonly minimum: number; readonly maximum: number } | null;
  /** True when Mesa's software driver was set to vectors of 512 bits, as the processor has them. */
  readonly wideVectors: boolean;
  /** Kernel compilation, and from the first submit to the bytes back on the host. */
  readonly compileMs: number;
  readonly firstDispatchMs: number;
}

/** The limits that decide which kernels and tensor sizes are possible. */
export const reportedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "minStorageBufferOffsetAlignment",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

export type ReportedLimit = (typeof reportedLimits)[number];

/**
 * Opens the adapter, runs one small kernel on it and checks the result. A broken driver may crash the process that
 * calls this; see checkAdapter() for the safe way.
 * @throws NoAdapterError when there is none
 * @throws GpuError when the kernel's result is wrong, or no provider could be loaded
 */
export async function probe(options: FindGpuOptions = {}): Promise<AdapterReport> {
  const { gpu, provider } = await findGpu(options);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoAdapterError(`${provider} works but shows no adapter${driverOverride()}`);
  const device = await adapter.requestDevice();
  try {
    const timing = await runSquare(device);
    return {
      runtime: runtimeName(),
      provider,
      providerVersion: providerVersion(provider),
      ...describe(adapter, provider),
      wideVectors: vectorsWidened(),
      ...timing,
    };
  } finally {
    device.destroy();
  }
}

/** "Bun 1.4.5", "Node 24.1.0" or "Deno 2.9.6". */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun) return `Bun ${bun}`;
  if (deno) return `Deno ${deno}`;
  return `Node ${node}`;
}

/** What to call an adapter: some providers give only numbers as the device, and the name as the description. */
export function adapterName({ device, description }: Pick<AdapterReport, "device" | "description">): string {
  const named = /^(0x)?[\da-f]*$/i.test(device) ? description : device;
  return named || "unnamed";
}

/** Version of the package `webgpu`, or of the runtime whose own WebGPU is used. */
export function providerVersion(provider: string): string {
  if (provider === "navigator.gpu") return runtimeName();
  const { version } = createRequire(import.meta.url)("webgpu/package.json") as { version: string };
  return version;
}

/** A loader pointed at certain drivers by the environment is a common reason for "no adapter". */
function driverOverride(): string {
  const set = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].filter((name) => process.env[name]);
  return set.length
    ? ` (${set.map((name) => `${name}=${process.env[name]}`).join(", ")} limits the Vulkan drivers)`
    : "";
}

function describe(adapter: GPUAdapter, provider: ProviderName) {
  const info = adapter.info as GPUAdapterInfo & { isFallbackAdapter?: boolean };
  const { vendor, architecture, device, description } = info;
  const limits = {} as Record<ReportedLimit, number>;
  for (const name of reportedLimits) limits[name] = adapter.limits[name];
  const hasSubgroups = adapter.features.has("subgroups");
  return {
    vendor,
    architecture,
    device,
    description,
    // Dawn puts the driver's own description there; other implementations repeat the device's name.
    driver: provider === "webgpu" ? description : "",
    software:
      info.isFallbackAdapter === true || looksLikeSoftware(`${vendor} ${architecture} ${device} ${description}`),
    features: [...adapter.features].sort(),
    limits,
    subgroups: hasSubgroups ? { minimum: info.subgroupMinSize ?? 0, maximum: info.subgroupMaxSize ?? 0 } : null,
  };
}

// WebGPU's flag values; the runtimes disagree on whether GPUBufferUsage and GPUMapMode are globals.
const usage = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, storage: 0x80 };
const mapModeRead = 0x1;

async function runSquare(device: GPUDevice): Promise<{ compileMs: number; firstDispatchMs: number }> {
  const input = Uint32Array.from({ length: 256 }, (_, index) => index + 1);
  const code = readFileSync(new URL("../../shaders/doctor/square.wgsl", import.meta.url), "utf8");
  const start = performance.now();
  device.pushErrorScope("validation");
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const compiled = performance.now();
  const x = device.createBuffer({ size: input.byteLength, usage: usage.storage | usage.copyDestination });
  const y = device.createBuffer({ size: input.byteLength, usage: usage.storage | usage.copySource });
  const read = device.createBuffer({ size: input.byteLength, usage: usage.mapRead | usage.copyDestination });
  device.queue.writeBuffer(x, 0, input);
  const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(input.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(y, 0, read, 0, input.byteLength);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new GpuError(`the driver refused a small kernel: ${error.message}`, "update the GPU driver");
  await read.mapAsync(mapModeRead);
  const output = new Uint32Array(read.getMappedRange().slice(0));
  const done = performance.now();
  const wrong = output.findIndex((value, index) => value !== input[index]! ** 2);
  if (wrong >= 0) {
    throw new GpuError(
      `a small kernel gave a wrong result: ${input[wrong]}² came back as ${output[wrong]}`,
      "update the GPU driver, or choose another adapter",
    );
  }
  return { compileMs: compiled - start, firstDispatchMs: done - compiled };
}

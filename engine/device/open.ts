import { openChecked } from "../ops/matrix-check.ts";
import { Device, type OpenOptions } from "./device.ts";
import { NoAdapterError } from "./errors.ts";
import { adapterUnits, type MatrixUnit, matrixFeature, wantedMatrices } from "./matrix-units.ts";
import { findGpu } from "./provider.ts";

const wantedFeatures = ["subgroups", "shader-f16", "timestamp-query"] as const;
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBuffersPerShaderStage",
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const;

/**
 * Opens the best adapter at hand.
 * @throws NoAdapterError when there is none, with advice on what to install
 */
export async function openDevice(options: OpenOptions = {}): Promise<Device> {
  const wanted = wantedMatrices(options.subgroupMatrices);
  if (!wanted) return openAdapter(options, () => []);
  const { enable = [], ...toggles } = options.toggles ?? {};
  const unsafe = { ...options, toggles: { ...toggles, enable: [...enable, "allow_unsafe_apis"] } };
  const from = wanted.emulated ? options : unsafe;
  return openChecked(
    (units) => openAdapter(from, (adapter) => units ?? adapterUnits(adapter, wanted, options.withoutFeatures)),
    options.onNote ?? console.warn,
  );
}

async function openAdapter(
  options: OpenOptions,
  unitsOf: (adapter: GPUAdapter) => readonly MatrixUnit[],
): Promise<Device> {
  const { gpu, provider } = await findGpu(options);
  const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" });
  if (!adapter) throw new NoAdapterError(`${provider} found no WebGPU adapter`);
  const requiredFeatures: string[] = wantedFeatures.filter(
    (feature) => adapter.features.has(feature) && !options.withoutFeatures?.includes(feature),
  );
  const units = unitsOf(adapter);
  if (units.some(({ emulated }) => !emulated)) requiredFeatures.push(matrixFeature);
  const requiredLimits: Record<string, number> = {};
  for (const limit of wantedLimits) {
    const value = adapter.limits[limit];
    if (value !== undefined) requiredLimits[limit] = value;
  }
  const device = await adapter.requestDevice({
    requiredFeatures: requiredFeatures as GPUFeatureName[],
    requiredLimits,
  });
  const { vendor, architecture, description } = adapter.info;
  const {
    subgroupMinSize = 0,
    subgroupMaxSize = 0,
    isFallbackAdapter = false,
  } = adapter.info as GPUAdapterInfo & {
    subgroupMinSize?: number;
    subgroupMaxSize?: number;
    isFallbackAdapter?: boolean;
  };
  const info = { provider, vendor, architecture, description, isFallbackAdapter };
  return new Device(device, info, subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0, options, units);
}

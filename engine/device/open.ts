import {
  any,
  type Checks,
  callback,
  expectArgument,
  expectOptions,
  flag,
  object,
  oneOf,
  positive,
  text,
  whole,
} from "../arguments.ts";
import { compilerAhead } from "../kernel/ahead.ts";
import { openChecked } from "../ops/contraction/matrix-check.ts";
import { Device } from "./device.ts";
import { NoAdapterError } from "./errors.ts";
import {
  adapterUnits,
  type MatrixUnit,
  matrixFeature,
  type SubgroupMatrixOptions,
  wantedMatrices,
} from "./matrix-units.ts";
import type { OpenOptions } from "./options.ts";
import { findGpu, withoutAdapter } from "./provider.ts";
import { quietly } from "./quietly.ts";
import { sizeControl } from "./subgroups.ts";

const wantedFeatures = ["subgroups", sizeControl, "shader-f16", "timestamp-query"] as const;
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

const positiveWhole = { ...whole(1), error: RangeError };
const toggleChecks: Checks<NonNullable<OpenOptions["toggles"]>> = { enable: object, disable: object };
const matrixChecks: Checks<SubgroupMatrixOptions> = { halfSums: flag, emulated: object };
const checks: Checks<OpenOptions> = {
  gpu: object,
  provider: oneOf("navigator.gpu", "webgpu"),
  toggles: object,
  backend: text,
  adapter: text,
  withoutFeatures: object,
  maximumBindingBytes: positiveWhole,
  powerPreference: oneOf("low-power", "high-performance"),
  checkNumbers: flag,
  winograd: flag,
  memoryLimitBytes: positive,
  subgroupMatrices: any,
  onNote: callback,
};

/** @throws TypeError or RangeError for an option that there is not or that means nothing; `operation` says whose */
export function expectOpenOptions(operation: string, options: OpenOptions): void {
  expectOptions(operation, options, checks);
  const { toggles, subgroupMatrices } = options;
  if (toggles) expectOptions(`${operation}: toggles`, toggles, toggleChecks);
  if (typeof subgroupMatrices === "object")
    expectOptions(`${operation}: subgroupMatrices`, subgroupMatrices, matrixChecks);
  else if (subgroupMatrices !== undefined) expectArgument(operation, "subgroupMatrices", subgroupMatrices, flag);
}

/**
 * Opens the best adapter at hand.
 * @throws NoAdapterError when there is none, with advice on what to install; TypeError or RangeError for an option that means nothing
 */
export async function openDevice(options: OpenOptions = {}): Promise<Device> {
  expectOpenOptions("openDevice", options);
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
  const powerPreference = options.powerPreference ?? "high-performance";
  const request = () => quietly(() => gpu.requestAdapter({ powerPreference }));
  const adapter = await request();
  if (!adapter) throw new NoAdapterError(`${provider} found no WebGPU adapter`, withoutAdapter);
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
  const wanted = { requiredFeatures: requiredFeatures as GPUFeatureName[], requiredLimits };
  const device = await adapter.requestDevice(wanted);
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
  const opened = new Device(device, info, { min: subgroupMinSize, max: subgroupMaxSize }, options, units);
  opened.kernels.ahead = compilerAhead(opened, async () => (await request())!.requestDevice(wanted));
  return opened;
}

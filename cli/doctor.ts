import type { Command } from "commander";
import { checkAdapter } from "../engine/device/check.ts";
import { GpuError } from "../engine/device/errors.ts";
import { installAdvice } from "../engine/device/install.ts";
import { type AdapterReport, adapterName, type ReportedLimit, runtimeName } from "../engine/device/probe.ts";
import { canWidenVectors, vectorChoice } from "../engine/device/vectors.ts";
import { openMpiLibrary } from "../engine/ranks/mpi-library.ts";
import { cacheTrouble } from "../engine/tune/cache.ts";
import { cacheFolder } from "../engine/tune/cache-folder.ts";
import { choiceText } from "./setup.ts";
import { formatBytes, formatSeconds, pairs } from "./terminal.ts";

export function register(program: Command): void {
  program
    .command("doctor")
    .description("show the WebGPU adapter, what it can do, and what is missing")
    .option("--json", "print the report as JSON")
    .action(async ({ json = false }: { json?: boolean }) => doctor(json));
}

async function doctor(json: boolean): Promise<void> {
  const check = await checkAdapter();
  if (check.ok) {
    const folder = cacheFolder();
    const trouble = await cacheTrouble(folder);
    const cache = { folder: folder ?? null, ...(trouble && { trouble }) };
    const mpi = await mpiFound();
    if (json) console.log(JSON.stringify({ ...check, cache, mpi }, null, 2));
    else {
      const kept = trouble ? `none, measurements are made again: ${trouble}` : folder!;
      console.log(reportText(check.report, kept, mpi.library ?? `none: ${mpi.trouble}`));
    }
    return;
  }
  const advice =
    check.kind === "NoAdapterError"
      ? ["run `acutance setup`, or by hand", ...installAdvice()].join("\n")
      : check.advice;
  if (json) {
    console.log(JSON.stringify({ ...check, advice, runtime: runtimeName() }, null, 2));
    process.exitCode = 1;
    return;
  }
  throw new GpuError(check.message, advice);
}

/** The MPI library that trainings of several processes would use, or why there is none. */
async function mpiFound(): Promise<{ readonly library?: string; readonly trouble?: string }> {
  try {
    return { library: (await openMpiLibrary()).version };
  } catch (error) {
    return { trouble: (error as Error).message };
  }
}

/** The report as two columns of text, with what there is to say of the cache and of MPI. Exported for tests. */
export function reportText(report: AdapterReport, cache: string, mpi = ""): string {
  const { subgroups } = report;
  const rows: [string, string][] = [
    ["runtime", report.runtime],
    ["provider", `${report.provider} ${report.providerVersion}`],
    ["adapter", adapterName(report)],
    ["vendor", report.vendor || "not told"],
    ["architecture", report.architecture || "not told"],
    ["description", report.description || "not told"],
    ["driver", report.driver || "not told by this provider"],
    ["kind", report.software ? "software: shaders run on the CPU" : "hardware"],
    ...Object.entries(report.limits).map(([name, value]): [string, string] => [
      limitNames[name as ReportedLimit],
      name in byteLimits ? formatBytes(value) : String(value),
    ]),
    ["subgroups", subgroups ? sizeRange(subgroups.minimum, subgroups.maximum) : "no"],
    ...(report.software ? [["vectors", vectorText(report.wideVectors)] as [string, string]] : []),
    ["f16 in shaders", yesNo(report.features.includes("shader-f16"))],
    ["timestamps", yesNo(report.features.includes("timestamp-query"))],
    ["other features", report.features.filter((name) => !shownApart.has(name)).join(", ") || "none"],
    ["test kernel", "result correct"],
    ["compilation", formatSeconds(report.compileMs / 1000)],
    ["first dispatch", formatSeconds(report.firstDispatchMs / 1000)],
    ["cache", cache],
    ...(mpi ? [["MPI, to train in several processes", mpi] as [string, string]] : []),
  ];
  return pairs(rows);
}

const limitNames: Record<ReportedLimit, string> = {
  maxBufferSize: "largest buffer",
  maxStorageBufferBindingSize: "largest binding",
  maxStorageBuffersPerShaderStage: "storage buffers per kernel",
  minStorageBufferOffsetAlignment: "storage offset alignment",
  maxComputeWorkgroupStorageSize: "workgroup memory",
  maxComputeInvocationsPerWorkgroup: "invocations per workgroup",
  maxComputeWorkgroupSizeX: "workgroup size in x",
  maxComputeWorkgroupsPerDimension: "workgroups per dimension",
};
const byteLimits = {
  maxBufferSize: true,
  maxStorageBufferBindingSize: true,
  minStorageBufferOffsetAlignment: true,
  maxComputeWorkgroupStorageSize: true,
};
const shownApart = new Set(["subgroups", "shader-f16", "timestamp-query"]);

function vectorText(wide: boolean): string {
  const set = process.env["LP_NATIVE_VECTOR_WIDTH"];
  const choice = vectorChoice();
  if (choice && (wide || !set)) return `${choiceText(choice)}, as acutance setup measured`;
  if (set) return `LP_NATIVE_VECTOR_WIDTH=${set}`;
  return `the driver's own${canWidenVectors() ? "; acutance setup measures whether 512 bits are faster" : ""}`;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function sizeRange(minimum: number, maximum: number): string {
  return minimum === maximum ? `size ${minimum}` : `sizes ${minimum} to ${maximum}`;
}

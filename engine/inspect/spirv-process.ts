// The process in which Dawn compiles WGSL and writes what it makes of it to standard output, which only a process of its own
// can collect under every runtime. Requests on stdin, answers by answerRequests().
import type { Device } from "../device/device.ts";
import { GpuError } from "../device/errors.ts";
import { openDevice } from "../device/open.ts";
import { compileKernel } from "../harness/compile.ts";
import { KernelUsageError } from "../harness/errors.ts";
import { MissingConstantError } from "../kernel/template.ts";
import { answerRequests } from "./processes.ts";
import type { CompiledSource, SpirvRequest } from "./spirv.ts";

let opened: Device | undefined;
await answerRequests<SpirvRequest, CompiledSource>(
  async ({ kernel, constants, entry, marker }) => {
    opened ??= await openDevice({ provider: "webgpu", backend: "vulkan", toggles: { enable: ["dump_shaders"] } });
    // The text ends with a comment by which its dump is found.
    const marked = { ...kernel, wgsl: `${kernel.wgsl}\n// ${marker}\n` };
    const { entryPoint, workgroup } = await compileKernel(opened, marked, constants, entry);
    return { entryPoint, ...(workgroup && { workgroup }) };
  },
  (error) => {
    if (error instanceof KernelUsageError || error instanceof MissingConstantError) return "usage";
    return error instanceof GpuError ? "machine" : undefined;
  },
);
opened?.close();

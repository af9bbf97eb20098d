// The process in which a driver compiles kernels: it may end it, and its loader reads the environment once. Requests on
// stdin, answers by answerRequests().
import { InspectError, InspectUsageError } from "./errors.ts";
import { answerRequests } from "./processes.ts";
import { type CompileRequest, type Executable, VulkanCompiler } from "./vulkan.ts";

let compiler: Promise<VulkanCompiler> | undefined;
await answerRequests<CompileRequest, Executable>(
  async ({ kernel, wave, figuresOnly }) => {
    compiler ??= VulkanCompiler.open();
    return (await compiler).compile(kernel, wave, figuresOnly);
  },
  (error) => (error instanceof InspectUsageError ? "usage" : error instanceof InspectError ? "machine" : undefined),
);
// Drivers without a device to wait for may not end well.
process.exit(0);

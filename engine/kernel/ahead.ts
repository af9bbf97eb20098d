import type { KernelSource } from "./source.ts";
import { parameterBytes } from "./stream.ts";

/** Numeric values of the WebGPU usage flags. */
const usage = { uniform: 64, storage: 128, indirect: 256 } as const;
const textureUsage = { binding: 4 } as const;

/** A kernel to be compiled and the entries of its layout. */
export interface AheadKernel {
  readonly source: KernelSource;
  readonly layout: GPUBindGroupLayoutDescriptor;
}

/**
 * Has a driver that compiles a kernel at its first dispatch (Mesa's software driver) do so on several threads at once: each device of a process
 * has one. What one of them compiled, others find in the driver's cache of shaders, so that the devices here are closed afterwards. The
 * dispatches have no workgroups, which the driver learns from a buffer, and so after it has compiled.
 * @param open opens one more device of the adapter
 * @param threads devices at a time
 */
export async function compileOnThreads(
  kernels: readonly AheadKernel[],
  open: () => Promise<GPUDevice | undefined>,
  threads: number,
): Promise<void> {
  // The longest first, each to the thread with least to do.
  const shares = Array.from({ length: Math.min(threads, kernels.length) }, () => ({
    size: 0,
    kernels: [] as AheadKernel[],
  }));
  for (const kernel of [...kernels].sort((a, b) => b.source.wgsl.length - a.source.wgsl.length)) {
    const least = shares.reduce((a, b) => (b.size < a.size ? b : a));
    least.kernels.push(kernel);
    least.size += kernel.source.wgsl.length;
  }
  const gpus = (await Promise.all(shares.map(open))).filter((gpu) => gpu !== undefined);
  try {
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

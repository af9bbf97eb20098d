import type { Device } from "../device/device.ts";
import type { CapturedDispatch } from "./capture.ts";
import { KernelUsageError } from "./errors.ts";
import type { KernelInterface } from "./interface.ts";

const usage = { copyDestination: 2, binding: 4, storage: 8 } as const;

/** A texture or sampler of a captured dispatch, as it is bound. */
export interface BoundHandle {
  readonly group: number;
  readonly binding: number;
  readonly resource: GPUTextureView | GPUSampler;
}

/**
 * Makes the textures and samplers that a captured dispatch has bound, textures with what they held before.
 * @throws KernelUsageError when the capture has none at a place
 */
export function madeHandles(
  { gpu }: Device,
  { handles }: Pick<KernelInterface, "handles">,
  capture: CapturedDispatch,
): { readonly bound: BoundHandle[]; destroy(): void } {
  const textures: GPUTexture[] = [];
  const bound = handles.map(({ name, group, binding }): BoundHandle => {
    const isHere = (entry: { readonly group: number; readonly binding: number }) =>
      entry.group === group && entry.binding === binding;
    const sampler = capture.record.samplers.find(isHere);
    if (sampler) return { group, binding, resource: gpu.createSampler(sampler.descriptor as GPUSamplerDescriptor) };
    const kept = capture.record.buffers.find(isHere)?.texture;
    if (!kept) throw new KernelUsageError(`the capture has neither a texture nor a sampler for "${name}"`);
    const { width, height, layers, bytesPerRow } = kept;
    const [format, dimension] = [kept.format as GPUTextureFormat, kept.dimension as GPUTextureDimension];
    const isWritten = /texture_storage/.test(typeIn(capture.wgsl, name));
    const texture = gpu.createTexture({
      ...{ label: name, size: [width, height, layers], format, dimension },
      usage: usage.copyDestination | (isWritten ? usage.storage : usage.binding),
    });
    textures.push(texture);
    const held = capture.bytesOf(group, binding)!.before;
    gpu.queue.writeTexture({ texture }, held, { bytesPerRow, rowsPerImage: height }, [width, height, layers]);
    const view = texture.createView({ dimension: kept.viewDimension as GPUTextureViewDimension });
    return { group, binding, resource: view };
  });
  return {
    bound,
    destroy: () => {
      for (const texture of textures) texture.destroy();
    },
  };
}

function typeIn(wgsl: string, name: string): string {
  return new RegExp(`\\bvar\\s+${name}\\s*:\\s*([^;]+);`).exec(wgsl)?.[1] ?? "";
}

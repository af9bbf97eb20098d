import type { BoundAt, ViewInfo } from "./device.ts";
import { texelBytes } from "./memory.ts";

const rowAlignment = 256;

/** What a capture keeps of a texture: the part that a view shows of its first level. */
export interface KeptTexture {
  readonly format: GPUTextureFormat;
  readonly width: number;
  readonly height: number;
  readonly layers: number;
  readonly dimension: GPUTextureDimension;
  readonly viewDimension: GPUTextureViewDimension;
  /** Of a row in the file, a multiple of 256. */
  readonly bytesPerRow: number;
}

/** What can be kept of a bound texture; undefined where its format, its levels or its samples do not let us. */
export function textureOf({ view }: BoundAt): (KeptTexture & { readonly info: ViewInfo }) | undefined {
  if (!view) return undefined;
  const { texture, view: shown } = view;
  const level = shown.baseMipLevel ?? 0;
  const levels = shown.mipLevelCount ?? texture.mipLevelCount - level;
  const plain = /^(?:r|rg|rgba|bgra)(?:8|16|32)(?:unorm|snorm|uint|sint|float)(?:-srgb)?$/.test(texture.format);
  if (!plain || levels !== 1 || texture.sampleCount !== 1) return undefined;
  const extent = (size: number) => Math.max(1, size >> level);
  const is3d = texture.dimension === "3d";
  const layers = is3d
    ? extent(texture.depthOrArrayLayers)
    : (shown.arrayLayerCount ?? texture.depthOrArrayLayers - (shown.baseArrayLayer ?? 0));
  const width = extent(texture.width);
  return {
    info: view,
    format: texture.format,
    width,
    height: extent(texture.height),
    layers,
    dimension: texture.dimension,
    viewDimension:
      shown.dimension ?? (is3d ? "3d" : texture.dimension === "1d" ? "1d" : layers > 1 ? "2d-array" : "2d"),
    bytesPerRow: Math.ceil((width * texelBytes(texture.format)) / rowAlignment) * rowAlignment,
  };
}

/** Bytes of all of it in a buffer. */
export function bytesOfTexture({ bytesPerRow, height, layers }: KeptTexture): number {
  return bytesPerRow * height * layers;
}

/** Copies what a view shows to a buffer. */
export function copyTexture(
  encoder: GPUCommandEncoder,
  { info, width, height, layers, bytesPerRow, dimension }: KeptTexture & { readonly info: ViewInfo },
  buffer: GPUBuffer,
): void {
  const { texture, view } = info;
  const z = dimension === "3d" ? 0 : (view.baseArrayLayer ?? 0);
  encoder.copyTextureToBuffer(
    { texture, mipLevel: view.baseMipLevel ?? 0, origin: [0, 0, z] },
    { buffer, bytesPerRow, rowsPerImage: height },
    [width, height, layers],
  );
}

import { Ledger } from "../memory/ledger.ts";
import { texelBytes, texelsPerLine } from "./storage.ts";

/** Numeric values of the WebGPU texture usage flags. */
const usage = { copyDestination: 2, binding: 4 } as const;

interface Texture {
  readonly name: string;
  readonly texture: GPUTexture;
  readonly view: GPUTextureView;
}

/** A copy of consecutive bytes of a buffer into the first texels of a texture. */
export interface Showing {
  readonly from: GPUBuffer;
  readonly fromByte: number;
  readonly bytes: number;
  readonly to: GPUTexture;
}

/**
 * Textures that show elements of buffers to kernels: for every binding of a call, one for every power of two of lines. One
 * call after the other may use the same, since each fills it before. They stay until the device closes.
 */
export class Textures {
  readonly #device: GPUDevice;
  readonly #made = new Map<string, Texture>();
  /** Their bytes. */
  readonly ledger = new Ledger();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The texture for so many bytes at a binding; its name tells it from others. */
  at(binding: number, bytes: number): Texture {
    const lines = 2 ** Math.ceil(Math.log2(Math.ceil(bytes / (texelBytes * texelsPerLine))));
    const name = `binding ${binding}, ${lines} lines`;
    let made = this.#made.get(name);
    if (!made) {
      const texture = this.#device.createTexture({
        label: name,
        size: [texelsPerLine, lines],
        format: "rgba32uint",
        usage: usage.copyDestination | usage.binding,
      });
      made = { name, texture, view: texture.createView() };
      this.#made.set(name, made);
      this.ledger.add("textures", texelBytes * texelsPerLine * lines);
    }
    return made;
  }
}

/** Records a {@link Showing}: whole lines, then the rest of one. */
export function encodeShowing(encoder: GPUCommandEncoder, { from, fromByte, bytes, to }: Showing): void {
  const texels = Math.ceil(bytes / texelBytes);
  const lines = Math.floor(texels / texelsPerLine);
  const rest = texels - lines * texelsPerLine;
  const bytesPerRow = texelBytes * texelsPerLine;
  if (lines > 0)
    encoder.copyBufferToTexture({ buffer: from, offset: fromByte, bytesPerRow }, { texture: to }, [
      texelsPerLine,
      lines,
    ]);
  if (rest > 0)
    encoder.copyBufferToTexture(
      { buffer: from, offset: fromByte + lines * bytesPerRow, bytesPerRow },
      { texture: to, origin: [0, lines] },
      [rest, 1],
    );
}

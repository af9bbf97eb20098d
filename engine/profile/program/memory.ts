const usageNames = [
  [0x80, "storage"],
  [0x40, "uniform"],
  [0x20, "vertex"],
  [0x10, "index"],
  [0x1, "read-back"],
  [0x2, "staging"],
] as const;

/** Bytes of buffers and textures of a program by their labels, with the state at the peak. */
export class ProgramMemory {
  readonly #sizes = new WeakMap<object, { readonly owner: string; bytes: number }>();
  readonly #owners = new Map<string, number>();
  #atPeak: (readonly [string, number])[] = [];
  #isAtPeak = false;
  // What is collected without having been destroyed is gone too.
  readonly #collected = new FinalizationRegistry<{ owner: string; bytes: number }>((entry) => this.#remove(entry));
  usedBytes = 0;
  peakBytes = 0;

  add(resource: object, owner: string, bytes: number): void {
    const entry = { owner, bytes };
    this.#sizes.set(resource, entry);
    this.#collected.register(resource, entry);
    this.#owners.set(owner, (this.#owners.get(owner) ?? 0) + bytes);
    this.usedBytes += bytes;
    if (this.usedBytes <= this.peakBytes) return;
    this.peakBytes = this.usedBytes;
    this.#isAtPeak = true;
  }

  remove(resource: object): void {
    const entry = this.#sizes.get(resource);
    if (entry) this.#remove(entry);
  }

  /** Who held how much at the peak. */
  get owners(): readonly (readonly [string, number])[] {
    this.#keepPeak();
    return this.#atPeak;
  }

  #remove(entry: { readonly owner: string; bytes: number }): void {
    if (entry.bytes === 0) return;
    this.#keepPeak();
    this.#owners.set(entry.owner, this.#owners.get(entry.owner)! - entry.bytes);
    this.usedBytes -= entry.bytes;
    entry.bytes = 0;
  }

  #keepPeak(): void {
    if (!this.#isAtPeak) return;
    this.#isAtPeak = false;
    this.#atPeak = [...this.#owners].filter(([, bytes]) => bytes > 0).sort(([, a], [, b]) => b - a);
  }
}

/** The label of a buffer, or what it is for. */
export function bufferOwner(label: string | undefined, usage: number): string {
  if (label) return label;
  return `${usageNames.find(([bit]) => (usage & bit) !== 0)?.[1] ?? "other"} buffers`;
}

/** Bytes of a texture's first level, by the channels and bits in its format's name. */
export function textureBytes({ size, format, sampleCount = 1 }: GPUTextureDescriptor): number {
  const [width = 1, height = 1, layers = 1] =
    Symbol.iterator in Object(size)
      ? [...(size as Iterable<number>)]
      : [
          (size as GPUExtent3DDict).width,
          (size as GPUExtent3DDict).height ?? 1,
          (size as GPUExtent3DDict).depthOrArrayLayers ?? 1,
        ];
  return width * height * layers * sampleCount * texelBytes(format);
}

/** Bytes of a texel of a format without blocks; a guess for others. */
export function texelBytes(format: string): number {
  const [, channels, bits] = /^([rgba]+)(\d+)/.exec(format) ?? [];
  if (channels && bits)
    return (format.includes("10a2") || format.includes("11b10") ? 32 : channels.length * Number(bits)) / 8;
  // Depth and stencil, and compressed blocks.
  return /^(depth|stencil)/.test(format) ? 4 : 1;
}

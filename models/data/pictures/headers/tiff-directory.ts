/** Bytes of a value of each type that is a whole number, or bytes of any meaning; 0 for the others. */
const sizes = [0, 1, 1, 2, 4, 0, 1, 1, 2, 4, 0, 0, 0, 4, 0, 0, 8, 8, 8];

/** A place that a TIFF names lies behind its end. */
export class BeyondEndError extends RangeError {
  override name = "BeyondEndError";
}

/**
 * Tags of the first directory of a TIFF or BigTIFF, and where their values are. Follows no chain, so that no file can lead it round; of a tag that
 * comes twice the first counts.
 * Source: Aldus, TIFF 6.0, section 2; AWare, BigTIFF.
 */
export class TiffDirectory {
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #big: boolean;
  readonly #entries = new Map<number, number>();
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = view;
    this.#little = bytes[0] === 0x49;
    if (view.byteLength < 16) throw new BeyondEndError("The TIFF ends within its header.");
    this.#big = view.getUint16(2, this.#little) === 43;
    const at = this.#big ? this.#long(8) : view.getUint32(4, this.#little);
    if (at + 8 > view.byteLength)
      throw new BeyondEndError(`The TIFF's directory is at byte ${at}, behind its end at ${view.byteLength}.`);
    const count = this.#big ? this.#long(at) : view.getUint16(at, this.#little);
    const [first, step] = this.#big ? [at + 8, 20] : [at + 2, 12];
    if (first + count * step > view.byteLength) throw new BeyondEndError("The TIFF ends within its directory.");
    for (let i = 0; i < count; i++) {
      const entry = first + i * step;
      const tag = view.getUint16(entry, this.#little);
      if (!this.#entries.has(tag)) this.#entries.set(tag, entry);
    }
  }

  has(tag: number): boolean {
    return this.#entries.has(tag);
  }

  /** Whole numbers of a tag, the first `most` of them; none when it is absent or holds no such. @throws BeyondEndError */
  numbers(tag: number, most = Number.POSITIVE_INFINITY): number[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    const view = this.#view;
    const type = view.getUint16(entry + 2, this.#little);
    const size = sizes[type] ?? 0;
    const count = this.#big ? this.#long(entry + 4) : view.getUint32(entry + 4, this.#little);
    const field = entry + (this.#big ? 12 : 8);
    const room = this.#big ? 8 : 4;
    const at = count * size <= room ? field : this.#big ? this.#long(field) : view.getUint32(field, this.#little);
    if (size === 0) return [];
    if (at + count * size > view.byteLength)
      throw new BeyondEndError(`The TIFF ends at byte ${view.byteLength}, before the values of tag ${tag}.`);
    return Array.from({ length: Math.min(count, most) }, (_, i) => this.#whole(at + i * size, size));
  }

  /** What a tag holds, as bytes; none when it is absent. */
  bytes(tag: number): Uint8Array {
    return Uint8Array.from(this.numbers(tag));
  }

  number(tag: number, otherwise: number): number {
    return this.numbers(tag)[0] ?? otherwise;
  }

  /** The file with a directory of no more than the tags that are wanted, and no other directory. */
  only(isWanted: (tag: number) => boolean): Uint8Array {
    const used = [...this.#entries].filter(([tag]) => isWanted(tag)).sort(([a], [b]) => a - b);
    const [countSize, size, linkSize] = this.#big ? [8, 20, 8] : [2, 12, 4];
    const start = this.#bytes.length + (this.#bytes.length & 1);
    const file = new Uint8Array(start + countSize + size * used.length + linkSize);
    file.set(this.#bytes);
    used.forEach(([, at], i) => {
      file.set(this.#bytes.subarray(at, at + size), start + countSize + i * size);
    });
    const view = new DataView(file.buffer);
    view.setUint16(this.#little || !this.#big ? start : start + 6, used.length, this.#little);
    if (this.#big) view.setBigUint64(8, BigInt(start), this.#little);
    else view.setUint32(4, start, this.#little);
    return file;
  }

  #whole(at: number, size: number): number {
    if (size === 8) return this.#long(at);
    if (size === 4) return this.#view.getUint32(at, this.#little);
    return size === 2 ? this.#view.getUint16(at, this.#little) : this.#view.getUint8(at);
  }

  #long(at: number): number {
    return Number(this.#view.getBigUint64(at, this.#little));
  }
}

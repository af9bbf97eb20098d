import type { Picture } from "./pictures/decode.ts";

/** What a cache holds and has done. */
export interface CacheUsage {
  readonly entries: number;
  readonly usedBytes: number;
  readonly maxBytes: number;
  readonly hits: number;
  readonly misses: number;
}

/**
 * Decoded pictures in memory, bounded in bytes; the least recently used go first. Requests for a picture that is being
 * loaded share that load. Failed loads are not kept.
 */
export class PictureCache {
  readonly #maxBytes: number;
  // A Map iterates in insertion order; re-inserting on use keeps the least recently used first.
  readonly #pictures = new Map<string, Picture>();
  readonly #loading = new Map<string, Promise<Picture>>();
  #usedBytes = 0;
  #hits = 0;
  #misses = 0;

  /**
   * @param maxBytes bound on the pixels held, 3 bytes each; 0 keeps nothing
   * @throws RangeError when it is negative or not a number
   */
  constructor(maxBytes: number) {
    if (!(maxBytes >= 0)) throw new RangeError(`A picture cache needs a size of 0 bytes or more, got ${maxBytes}.`);
    this.#maxBytes = maxBytes;
  }

  /**
   * The picture stored under `key`, or else what `load` gives. The pixels are shared: do not write to them.
   * @throws what `load` throws
   */
  async get(key: string, load: () => Promise<Picture>): Promise<Picture> {
    const held = this.#pictures.get(key);
    if (held) {
      this.#hits++;
      this.#pictures.delete(key);
      this.#pictures.set(key, held);
      return held;
    }
    const loading = this.#loading.get(key);
    if (loading) {
      this.#hits++;
      return loading;
    }
    this.#misses++;
    const started = load();
    this.#loading.set(key, started);
    try {
      const picture = await started;
      this.#keep(key, picture);
      return picture;
    } finally {
      this.#loading.delete(key);
    }
  }

  get usage(): CacheUsage {
    return {
      entries: this.#pictures.size,
      usedBytes: this.#usedBytes,
      maxBytes: this.#maxBytes,
      hits: this.#hits,
      misses: this.#misses,
    };
  }

  /** Lets go of every picture. */
  clear(): void {
    this.#pictures.clear();
    this.#usedBytes = 0;
  }

  #keep(key: string, picture: Picture): void {
    if (picture.pixels.byteLength > this.#maxBytes) return;
    this.#pictures.set(key, picture);
    this.#usedBytes += picture.pixels.byteLength;
    for (const [oldest, { pixels }] of this.#pictures) {
      if (this.#usedBytes <= this.#maxBytes) break;
      this.#pictures.delete(oldest);
      this.#usedBytes -= pixels.byteLength;
    }
  }
}

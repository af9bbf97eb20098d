import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Picture } from "../../data/index.ts";

/** Small copies of many pictures, in a file of their own rather than in memory. */
export class Thumbnails implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "acutance-cull-"));
  readonly #file = openSync(join(this.#folder, "thumbnails"), "wx+");
  readonly #places = new Map<number, { readonly at: number; readonly length: number }>();
  readonly #side: number;
  #end = 0;
  #open = true;

  /** @param count how many there will be: the more, the smaller each */
  constructor(count: number) {
    this.#side = count <= 500 ? 256 : count <= 2000 ? 200 : count <= 10_000 ? 150 : 96;
  }

  /** What copies are like, to be known again. */
  get kind(): string {
    return `WebP ${this.#side}`;
  }

  async add(index: number, picture: Picture): Promise<void> {
    this.put(index, await this.make(picture));
  }

  /** A copy as a WebP file. */
  make({ pixels, width, height }: Picture): Promise<Uint8Array> {
    return sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false })
      .resize(this.#side, this.#side, { fit: "inside", withoutEnlargement: true })
      .webp({ quality: 60, effort: 2 })
      .toBuffer();
  }

  /** Takes a copy that was made before. */
  put(index: number, bytes: Uint8Array): void {
    if (!this.#open) return;
    const at = this.#end;
    this.#end += bytes.length;
    writeSync(this.#file, bytes, 0, bytes.length, at);
    this.#places.set(index, { at, length: bytes.length });
  }

  /** A WebP file in base64; undefined where there is none. */
  get(index: number): string | undefined {
    const place = this.#places.get(index);
    if (!place) return undefined;
    const bytes = Buffer.alloc(place.length);
    readSync(this.#file, bytes, 0, place.length, place.at);
    return bytes.toString("base64");
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

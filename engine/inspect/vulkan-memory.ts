import type koffi from "koffi";

export type Koffi = typeof koffi;

/** A field of a C struct: a number is 4 bytes, a bigint 8 (a handle, a size), the rest a pointer. */
type Field = number | bigint | string | ArrayBuffer | null;

/**
 * Memory that C code reads and writes. Buffers are made for themselves, never as views, so that they stay where they are, and are
 * held as long as this.
 */
export class NativeMemory {
  readonly #koffi: Koffi;
  readonly #held: ArrayBuffer[] = [];

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
  }

  /** A C struct of these fields, each at a multiple of its size. */
  struct(...fields: readonly Field[]): ArrayBuffer {
    let end = 0;
    const places = fields.map((field) => {
      const size = typeof field === "number" ? 4 : 8;
      const at = Math.ceil(end / size) * size;
      end = at + size;
      return at;
    });
    const memory = this.bytes(Math.ceil(end / 8) * 8);
    const view = new DataView(memory);
    for (const [i, field] of fields.entries()) {
      if (typeof field === "number") view.setUint32(places[i]!, field, true);
      else view.setBigUint64(places[i]!, typeof field === "bigint" ? field : this.pointer(field), true);
    }
    return memory;
  }

  /** Zeros, or a copy of what is given. */
  bytes(content: number | Uint8Array): ArrayBuffer {
    const memory = new ArrayBuffer(Math.max(8, typeof content === "number" ? content : content.length));
    if (typeof content !== "number") new Uint8Array(memory).set(content);
    this.#held.push(memory);
    return memory;
  }

  /** Structs of `bytes` each in a row, every one with its type at the start. */
  array(count: number, bytes: number, type: number): ArrayBuffer {
    const memory = this.bytes(count * bytes);
    for (let i = 0; i < count; i++) new DataView(memory).setUint32(i * bytes, type, true);
    return memory;
  }

  /** A struct of a chain: its type, the next one, and zeros. */
  chained(type: number, bytes: number, next: ArrayBuffer | null): ArrayBuffer {
    const memory = this.array(1, bytes, type);
    new DataView(memory).setBigUint64(8, this.pointer(next), true);
    return memory;
  }

  pointer(target: string | ArrayBuffer | null): bigint {
    if (target === null) return 0n;
    const memory = typeof target === "string" ? this.bytes(new TextEncoder().encode(`${target}\0`)) : target;
    return BigInt(this.#koffi.address(memory));
  }
}

/** The text in a field of fixed length. */
export function textAt(memory: ArrayBuffer, at: number, length = 256): string {
  const bytes = Buffer.from(memory, at, length);
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? length : end);
}

export function handleAt(memory: ArrayBuffer, at = 0): bigint {
  return new DataView(memory).getBigUint64(at, true);
}

export function numberAt(memory: ArrayBuffer, at = 0): number {
  return new DataView(memory).getUint32(at, true);
}

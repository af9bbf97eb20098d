/** A Huffman table of a JPEG: by the next 16 bits, the length of the code in the high byte and its symbol in the low one; 0 for no code. */
export type HuffmanTable = Uint16Array;

/** @param counts codes of each length from 1 to 16  @param symbols in the order of their codes */
export function huffmanTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable {
  const table = new Uint16Array(65536);
  let [at, next] = [0, 0];
  for (let length = 1; length <= 16; length++) {
    const span = 2 ** (16 - length);
    for (let i = 0; i < counts[length - 1]!; i++, at += span)
      table.fill((length << 8) | symbols[next++]!, at, at + span);
  }
  return table;
}

/** Thrown where entropy-coded data goes wrong: it ends too early, or says what no encoder writes. */
export class EntropyError extends Error {}

export const ended = new EntropyError("it ends too early");
const noCode = new EntropyError("it has a code that stands for nothing");

/** Bits of the entropy-coded data of a JPEG, up to the next marker. */
export class EntropyBits {
  readonly #bytes: Uint8Array;
  /** The next byte that is not taken yet. */
  at: number;
  #bits = 0;
  #count = 0;
  #atMarker = false;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Begins anew behind a restart marker. */
  restart(at: number): void {
    this.at = at;
    this.#bits = 0;
    this.#count = 0;
    this.#atMarker = false;
  }

  /** Whether nothing but the ones are left with which an encoder fills the last byte. */
  get isAtEnd(): boolean {
    this.#fill();
    return this.#atMarker && this.#count < 8 && this.isFilledUp(1);
  }

  /** Whether the rest of the byte that was begun is ones, or zeros, with which an encoder fills it behind its last block. */
  isFilledUp(bit: 0 | 1): boolean {
    const rest = this.#count & 7;
    const filling = this.#bits >>> (this.#count - rest);
    return filling === (bit ? 2 ** rest - 1 : 0);
  }

  /** Whole bytes that were not looked at, up to the one at `end`. */
  rest(end: number): Uint8Array {
    const held = Array.from({ length: this.#count >> 3 }, (_, i) => (this.#bits >>> (8 * i)) & 0xff).reverse();
    return Uint8Array.from([...held, ...this.#bytes.subarray(this.at, Math.min(end, this.at + 4096))]);
  }

  /** The next `count` bits, at most 16, as a number. */
  take(count: number): number {
    if (this.#count < count) this.#fill();
    if (this.#count < count) throw ended;
    this.#count -= count;
    const value = this.#bits >>> this.#count;
    this.#bits &= 2 ** this.#count - 1;
    return value;
  }

  symbol(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill();
    const next = this.#count >= 16 ? this.#bits >>> (this.#count - 16) : this.#bits << (16 - this.#count);
    const entry = table[next]!;
    const length = entry >> 8;
    if (length > this.#count) throw ended;
    if (length === 0) throw this.#count < 16 ? ended : noCode;
    this.#count -= length;
    this.#bits &= 2 ** this.#count - 1;
    return entry & 0xff;
  }

  /** A difference or coefficient of `size` bits: the lower half of the values stands for negative ones. */
  signed(size: number): number {
    if (size === 0) return 0;
    const value = this.take(size);
    return value < 2 ** (size - 1) ? value - 2 ** size + 1 : value;
  }

  #fill(): void {
    const bytes = this.#bytes;
    while (this.#count <= 16 && !this.#atMarker) {
      const byte = bytes[this.at];
      if (byte === undefined || (byte === 0xff && bytes[this.at + 1] !== 0)) {
        this.#atMarker = true;
        return;
      }
      this.at += byte === 0xff ? 2 : 1;
      this.#bits = (this.#bits << 8) | byte;
      this.#count += 8;
    }
  }
}

/** Side of the picture that a hash is made from, pixels. */
export const hashSide = 32;
/** Frequencies of a hash along each side. */
const frequencies = 8;

/** A perceptual hash of 64 bits, as two words. */
export type PerceptualHash = readonly [number, number];

/** cos((2 x + 1) u π / 2 N) of the frequencies u = 1 … 8. */
const cosines = Array.from({ length: frequencies }, (_, u) =>
  Float64Array.from({ length: hashSide }, (_, x) => Math.cos(((2 * x + 1) * (u + 1) * Math.PI) / (2 * hashSide))),
);

/**
 * The pHash of a picture (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1): signs of the
 * 8 x 8 lowest frequencies of its DCT-II, without those that are constant along a side, against their median. Brightness and contrast do not
 * change it; sharpness, noise and compression hardly do.
 * @param luminance [32, 32] by rows
 */
export function perceptualHash(luminance: ArrayLike<number>): PerceptualHash {
  const rows = new Float64Array(hashSide * frequencies);
  for (let y = 0; y < hashSide; y++) {
    for (let u = 0; u < frequencies; u++) {
      let sum = 0;
      for (let x = 0; x < hashSide; x++) sum += luminance[y * hashSide + x]! * cosines[u]![x]!;
      rows[y * frequencies + u] = sum;
    }
  }
  const coefficients = new Float64Array(frequencies * frequencies);
  for (let v = 0; v < frequencies; v++) {
    for (let u = 0; u < frequencies; u++) {
      let sum = 0;
      for (let y = 0; y < hashSide; y++) sum += rows[y * frequencies + u]! * cosines[v]![y]!;
      coefficients[v * frequencies + u] = sum;
    }
  }
  const sorted = coefficients.toSorted();
  const median = (sorted[31]! + sorted[32]!) / 2;
  const words: [number, number] = [0, 0];
  coefficients.forEach((value, bit) => {
    if (value > median) words[bit >> 5] = (words[bit >> 5]! | (1 << (bit & 31))) >>> 0;
  });
  return words;
}

/** Bits in which two hashes differ, 0 to 64. */
export function hashDistance(a: PerceptualHash, b: PerceptualHash): number {
  return bits(a[0] ^ b[0]) + bits(a[1] ^ b[1]);
}

function bits(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Parts of a hash that the index looks up. */
const parts = 4;

/**
 * Values by their hashes: finds those within a distance without looking at all others. Of two hashes that differ in at most r bits, one of four
 * parts of 16 bits differs in at most r / 4 (Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012).
 */
export class HashIndex<Value> {
  readonly #radius: number;
  /** Masks of at most r / 4 bits of a part. */
  readonly #masks: readonly number[];
  readonly #byPart: readonly Map<number, number[]>[] = Array.from({ length: parts }, () => new Map());
  readonly #hashes: PerceptualHash[] = [];
  readonly #values: Set<Value>[] = [];
  readonly #known = new Map<string, number>();

  /** @param radius bits within which hashes are found, 0 to 15 */
  constructor(radius: number) {
    this.#radius = radius;
    this.#masks = masksOf(16, Math.floor(radius / parts));
  }

  add(hash: PerceptualHash, value: Value): void {
    const key = `${hash[0]},${hash[1]}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#values[known]!.add(value);
      return;
    }
    const at = this.#hashes.push(hash) - 1;
    this.#values.push(new Set([value]));
    this.#known.set(key, at);
    partsOf(hash).forEach((part, i) => {
      const bucket = this.#byPart[i]!.get(part);
      if (bucket) bucket.push(at);
      else this.#byPart[i]!.set(part, [at]);
    });
  }

  /** Values of hashes within the radius, each once. */
  near(hash: PerceptualHash): Set<Value> {
    const found = new Set<Value>();
    const seen = new Set<number>();
    partsOf(hash).forEach((part, i) => {
      for (const mask of this.#masks) {
        for (const at of this.#byPart[i]!.get(part ^ mask) ?? []) {
          if (seen.has(at)) continue;
          seen.add(at);
          if (hashDistance(hash, this.#hashes[at]!) > this.#radius) continue;
          for (const value of this.#values[at]!) found.add(value);
        }
      }
    });
    return found;
  }
}

function partsOf([low, high]: PerceptualHash): number[] {
  return [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16];
}

/** Words of `width` bits of which at most `most` are set. */
function masksOf(width: number, most: number): number[] {
  const masks = [0];
  let last = [{ mask: 0, next: 0 }];
  for (let set = 1; set <= most; set++) {
    last = last.flatMap(({ mask, next }) =>
      Array.from({ length: width - next }, (_, i) => ({ mask: mask | (1 << (next + i)), next: next + i + 1 })),
    );
    masks.push(...last.map(({ mask }) => mask));
  }
  return masks;
}

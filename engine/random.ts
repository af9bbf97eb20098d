/** The four 32-bit words of a Philox counter, or of the block it turns into. */
export type Words4 = readonly [number, number, number, number];
/** The two 32-bit words of a Philox key. */
export type Words2 = readonly [number, number];

/** High 32 bits of the 64-bit product a·b of two 32-bit words, by 16-bit halves; all in whole 32-bit steps. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // (2^16 − 1)² + 2^16 − 1 is below 2^32: neither sum overflows.
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/**
 * Philox4x32-10: ten rounds of a keyed bijection on 128-bit counters. Equal counter and key give equal words on every
 * machine, and the WGSL version produces the same ones.
 *
 * @param counter four words, each taken modulo 2^32
 * @param key two words, each taken modulo 2^32
 * @returns four words in [0, 2^32)
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 3.3.
 */
export function philox4x32(counter: Words4, key: Words2): [number, number, number, number] {
  const out = new Uint32Array(4);
  philoxInto(out, ...counter, ...key);
  return [out[0]!, out[1]!, out[2]!, out[3]!];
}

/** {@link philox4x32} into `out`, without arrays of its own: millions of weights are drawn through it. */
function philoxInto(out: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Two words that name a stream: the UTF-8 bytes of `name`, absorbed eight at a time through Philox. */
function hashStream(name: string): Words2 {
  const bytes = new TextEncoder().encode(name);
  let hash: Words2 = [bytes.length, 0];
  for (let start = 0; start < bytes.length; start += 8) {
    let first = 0;
    let second = 0;
    for (let i = 0; i < 4; i++) {
      first |= (bytes[start + i] ?? 0) << (8 * i);
      second |= (bytes[start + 4 + i] ?? 0) << (8 * i);
    }
    const block = philox4x32([first, second, hash[0], hash[1]], [0x41637574, 0x616e6365]);
    hash = [block[0], block[1]];
  }
  return hash;
}

/** Everything needed to continue a `Random` where it stood; plain JSON. `position` counts the words consumed. */
export interface RandomState {
  readonly seed: number;
  readonly stream: string;
  readonly position: number;
}

/**
 * Random draws that are functions of (seed, stream, position) alone. Word i of a stream is word i mod 4 of
 * philox4x32([i/4 low, i/4 high, stream hash], seed); the position is the only thing that changes, so saving `state`
 * and passing it to `Random.restore` continues bit for bit.
 */
export class Random {
  readonly seed: number;
  readonly stream: string;
  /** Philox key made of the seed: the two words a GPU kernel needs to draw from the same seed. */
  readonly key: Words2;
  /** Counter words 2 and 3, naming the stream. */
  readonly streamWords: Words2;
  #position = 0;
  readonly #block = new Uint32Array(4);
  #blockIndex = -1;

  /**
   * @param seed an integer, 0 ≤ seed < 2^53
   * @param stream names an independent sequence of the same seed; a number means the same as its decimal text
   * @throws RangeError when the seed is not such an integer
   */
  constructor(seed: number, stream: string | number = "") {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`The seed must be an integer from 0 to 2^53 - 1, got ${seed}.`);
    }
    this.seed = seed;
    this.stream = String(stream);
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
    this.streamWords = hashStream(this.stream);
  }

  /** The state to save; `Random.restore(state)` continues from here. */
  get state(): RandomState {
    return { seed: this.seed, stream: this.stream, position: this.#position };
  }

  /**
   * A generator that continues from a saved state.
   * @throws RangeError when the seed or the position is not a non-negative integer
   */
  static restore(state: RandomState): Random {
    if (!Number.isSafeInteger(state.position) || state.position < 0) {
      throw new RangeError(`The position of a random state must be a non-negative integer, got ${state.position}.`);
    }
    const random = new Random(state.seed, state.stream);
    random.#position = state.position;
    return random;
  }

  /**
   * An independent stream named `<stream>/<name>`. It starts at its beginning and does not depend on how much this one
   * has drawn, so the same name gives the same stream each time.
   */
  fork(name: string | number): Random {
    return new Random(this.seed, `${this.stream}/${name}`);
  }

  /** Next 32-bit word, in [0, 2^32). */
  word(): number {
    const index = Math.floor(this.#position / 4);
    if (index !== this.#blockIndex) {
      const [high, [stream0, stream1], [key0, key1]] = [Math.floor(index / 2 ** 32), this.streamWords, this.key];
      philoxInto(this.#block, index, high, stream0, stream1, key0, key1);
      this.#blockIndex = index;
    }
    return this.#block[this.#position++ % 4]!;
  }

  /** Next 53 random bits as an integer in [0, 2^53); takes two words. */
  #bits53(): number {
    const high = this.word() >>> 5;
    return high * 2 ** 26 + (this.word() >>> 6);
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return this.#bits53() / 2 ** 53;
  }

  /**
   * Uniform integer in [0, n), without bias (values beyond the last whole multiple of n are drawn again).
   * @throws RangeError when n is not an integer from 1 to 2^53 - 1
   */
  integer(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new RangeError(`integer(n) needs an integer n from 1 to 2^53 - 1, got ${n}.`);
    }
    const limit = 2 ** 53 - (2 ** 53 % n);
    let bits = this.#bits53();
    while (bits >= limit) bits = this.#bits53();
    return bits % n;
  }

  /** Standard normal (mean 0, standard deviation 1), by Box-Muller: sqrt(-2 ln u) cos(2πv). Takes four words. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A new array with the items in random order (Fisher-Yates); the given one stays as it is. */
  shuffle<T>(items: Iterable<T>): T[] {
    const shuffled = Array.from(items);
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const held = shuffled[last]!;
      shuffled[last] = shuffled[other]!;
      shuffled[other] = held;
    }
    return shuffled;
  }
}

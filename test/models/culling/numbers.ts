/** Numbers that look random and are the same for the same seed (Steele, Lea and Flood's SplitMix in 32 bits). */
export class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 bits. */
  word(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** 0 to below 1. */
  share(): number {
    return this.word() / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.share();
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(end * this.share());
  }

  chance(share: number): boolean {
    return this.share() < share;
  }

  /** Near normal: the sum of four even ones, of deviation 1. */
  normal(): number {
    return Math.sqrt(3) * (this.share() + this.share() + this.share() + this.share() - 2);
  }
}

import type { Picture } from "../data/index.ts";

/** Means of the cells of a coarse grid over a picture, 0 to 255: red, green and blue of 4 x 4 cells, by rows. */
export type Look = Float32Array;

const cells = 4;
/** Pixels that stand for a cell, along one side. */
const samples = 4;

/** How a picture looks from far away. Some pixels stand for all, so that its size costs nothing. */
export function lookOf({ width, height, pixels }: Picture): Look {
  const look = new Float32Array(cells * cells * 3);
  const along = (part: number, extent: number) => Math.floor(((part + 0.5) * extent) / (cells * samples));
  for (let y = 0; y < cells * samples; y++) {
    for (let x = 0; x < cells * samples; x++) {
      const at = 3 * (along(y, height) * width + along(x, width));
      const cell = 3 * (Math.floor(y / samples) * cells + Math.floor(x / samples));
      for (let channel = 0; channel < 3; channel++) look[cell + channel]! += pixels[at + channel]! / samples ** 2;
    }
  }
  return look;
}

/** Looks are unlike when their cells differ by so much on average; copies, other sizes and encodings differ by less. */
const leastDifference = 8;

function areUnlike(a: Look, b: Look): boolean {
  const difference = a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0);
  return difference / a.length >= leastDifference;
}

/** Scores are the same up to here: nothing but a model that does not look at pictures gives such to unlike ones. */
const sameUpTo = 1e-6;
const unlikePictures = 5;
/** Scores that are remembered. */
const remembered = 256;

/** Notices a model that gives unlike pictures the same score: damage that leaves all numbers finite may do that. */
export class SameScores {
  /** The latest last. */
  readonly #groups: { readonly score: number; readonly looks: Look[] }[] = [];
  #told = false;

  /** True once: when this picture is the fifth of its score that is unlike the others. */
  notices(score: number, look: Look): boolean {
    if (this.#told) return false;
    const group = this.#groups.find((known) => Math.abs(known.score - score) <= sameUpTo);
    if (!group) {
      this.#groups.push({ score, looks: [look] });
      if (this.#groups.length > remembered) this.#groups.shift();
      return false;
    }
    if (group.looks.every((known) => areUnlike(known, look))) group.looks.push(look);
    this.#told = group.looks.length >= unlikePictures;
    return this.#told;
  }
}

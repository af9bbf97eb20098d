/**
 * Processes that do the same work in step, each on a part of the rows. All of them call the same of these functions in the same order; a call
 * ends when what it needs of the others has come.
 */
export interface Ranks {
  /** Number of this one, from 0. */
  readonly rank: number;
  readonly size: number;
  /** Number of this one among those of its computer, and how many those are. */
  readonly local: { readonly rank: number; readonly size: number };
  /**
   * What each rank gave, by rank.
   * @param lengths bytes of each where they are known everywhere; else they are told first
   * @throws RankError
   */
  gather(own: Uint8Array, lengths?: readonly number[]): Promise<Uint8Array<ArrayBuffer>[]>;
  /**
   * Replaces numbers by their sums over all ranks, ((x₀ + x₁) + x₂) + … in f32: of the same bits everywhere and every time.
   * @throws RankError
   */
  sum(numbers: Float32Array<ArrayBuffer>): Promise<void>;
}

/** Ranks cannot go on together. */
export class RankError extends Error {
  override name = "RankError";
  readonly advice: string;

  constructor(message: string, advice = "", options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
  }
}

/** Bounds of equal parts of so many things, or parts one longer than others: part r is from bounds[r] up to bounds[r + 1]. */
export function evenParts(things: number, parts: number): number[] {
  return Array.from({ length: parts + 1 }, (_, r) => Math.floor((r * things) / parts));
}

/** Adds numbers of ranks in the order of the ranks, each sum rounded to f32. All equally long. */
export function addInOrder(parts: readonly Float32Array[], total: Float32Array): void {
  total.set(parts[0]!);
  for (const part of parts.slice(1)) for (let i = 0; i < total.length; i++) total[i] = total[i]! + part[i]!;
}

/** What each rank says, by rank; anything that JSON holds. */
export async function gatherJson<T>(ranks: Ranks, own: T): Promise<T[]> {
  const parts = await ranks.gather(new TextEncoder().encode(JSON.stringify(own)));
  return parts.map((part) => JSON.parse(new TextDecoder().decode(part)) as T);
}

/** Waits until all ranks have come here. */
export async function meet(ranks: Ranks): Promise<void> {
  await ranks.gather(
    new Uint8Array(4),
    Array.from({ length: ranks.size }, () => 4),
  );
}

/** Rows of a batch that each rank has, by rank, and the ranks. */
export interface RankRows {
  readonly ranks: Ranks;
  readonly counts: readonly number[];
}

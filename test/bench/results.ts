import type { Group } from "./cases.ts";
import type { EngineName } from "./engines.ts";

/** One engine at one case. */
export type Cell =
  | {
      readonly is: "measured";
      /** Wall time of each run, from the upload of the inputs to the outputs being read. */
      readonly ms: readonly number[];
      /** Seconds from building to the end of the first runs, compilation included. */
      readonly firstSeconds: number;
      /** Relative error of the outputs beside ours, the worst of them; 0 for ours. */
      readonly relativeError: number;
    }
  | { readonly is: "mismatch"; readonly relativeError: number }
  /** The engine does not have what the case asks for. */
  | { readonly is: "not offered"; readonly reason: string }
  | { readonly is: "failed"; readonly reason: string };

export interface Row {
  readonly group: Group;
  readonly name: string;
  readonly cells: Readonly<Partial<Record<EngineName, Cell>>>;
}

/** What must be the same for results to stand in one table. */
export interface Circumstances {
  readonly machine: string;
  readonly adapter: string;
  readonly runtime: string;
  readonly commit: string;
  readonly runs: number;
  readonly budgetSeconds: number;
  readonly versions: Readonly<Partial<Record<EngineName, string>>>;
}

export interface Results {
  readonly format: 1;
  readonly date: string;
  readonly circumstances: Circumstances;
  /** Engines that could not be opened, and why. */
  readonly absent: Readonly<Partial<Record<EngineName, string>>>;
  /** What an engine says readers should know. */
  readonly notes: Readonly<Partial<Record<EngineName, string>>>;
  readonly rows: readonly Row[];
}

/** Value at `fraction` of the sorted numbers, between two by straight line. */
export function quantile(numbers: readonly number[], fraction: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (position - below);
}

export const median = (numbers: readonly number[]) => quantile(numbers, 0.5);

/** Our median time over theirs: below 1 we are faster. Nothing when one of the two has no time. */
export function ratio(row: Row, rival: EngineName): number | undefined {
  const [ours, theirs] = [row.cells.acutance, row.cells[rival]];
  return ours?.is === "measured" && theirs?.is === "measured" ? median(ours.ms) / median(theirs.ms) : undefined;
}

/** exp(mean of the logarithms); nothing of nothing. */
export function geometricMean(numbers: readonly number[]): number | undefined {
  if (numbers.length === 0) return undefined;
  return Math.exp(numbers.reduce((total, value) => total + Math.log(value), 0) / numbers.length);
}

/** A data set that cannot be used at all; the message says what was found and what to do. */
export class DatasetError extends Error {
  override name = "DatasetError";
}

/** A row that was left out. */
export interface Problem {
  /**
   * - `name`: no picture name; `missing`: no such picture; `duplicate`: the picture was listed before
   * - `mos`: not a number, or outside the range; `line`: the CSV line itself is malformed; `picture`: it cannot be decoded
   */
  readonly kind: "name" | "missing" | "duplicate" | "mos" | "line" | "picture";
  /** Name of the picture, as the CSV has it; empty when there is none. */
  readonly name: string;
  /** Line of the CSV, from 1, when it comes from one. */
  readonly line?: number;
  /** One sentence for the user. */
  readonly detail: string;
}

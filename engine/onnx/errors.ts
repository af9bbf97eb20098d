/** A model cannot be read or run: says what it needs, where, and what to do. */
export class OnnxError extends Error {
  override name = "OnnxError";
}

/** A model needs something that is not here: an operator, a form of one, or an element type. */
export class UnsupportedError extends OnnxError {
  override name = "UnsupportedError";
  /** Operators of a whole model that are not here, the most frequent first; none where it is something else. */
  readonly missing: readonly MissingOperator[];

  constructor(message: string, missing: readonly MissingOperator[] = []) {
    super(message);
    this.missing = missing;
  }
}

/** An operator that a model needs and that is not here. */
export interface MissingOperator {
  readonly operator: string;
  /** How many nodes are of it. */
  readonly count: number;
}

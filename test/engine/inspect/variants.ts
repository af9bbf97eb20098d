/** A kernel as the engine runs it. */
export interface Variant {
  readonly kernel: string;
  readonly constants: Readonly<Record<string, string | number | boolean>>;
  /** Variables stored as f16. */
  readonly halves: readonly string[];
}

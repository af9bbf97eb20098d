import type { Case } from "./cases.ts";

/** A case made ready by an engine: weights on the device, kernels not yet compiled. */
export interface Prepared {
  /** Uploads the inputs, runs, waits for all of it and reads the outputs back in the engine's own layouts. */
  run(): Promise<Float32Array[]>;
  /** Outputs of {@link run} in the layouts of the comparison: pictures channels last, gradients in file order. */
  canonical(outputs: readonly Float32Array[]): Float32Array[];
  release(): void | Promise<void>;
}

/** An engine that has opened its adapter. */
export interface Engine {
  readonly version: string;
  /** What the engine says of its adapter, or why it says nothing. */
  readonly adapter: string;
  /** What readers of the table should know of this engine on this adapter. */
  readonly note?: string;
  /** @throws NotOffered when the engine lacks what the case needs */
  prepare(wanted: Case): Promise<Prepared>;
}

/** The engine does not have what a case asks for; a gap in the table and no failure. */
export class NotOffered extends Error {
  override name = "NotOffered";
}

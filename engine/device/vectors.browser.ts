import type * as system from "./vectors.ts";

/** A page cannot set up drivers. */
export const vectorsWidened: typeof system.vectorsWidened = () => false;

import type * as system from "./quietly.ts";

/** Nothing of a page writes past its console. */
export const quietly: typeof system.quietly = (work) => work();

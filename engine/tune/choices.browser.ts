import type * as system from "./choices.ts";

/** A page keeps no choices from one visit to the next: operations run the way that is the default. */
export const restoreChoices: typeof system.restoreChoices = async () => 0;

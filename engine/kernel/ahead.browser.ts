import type * as system from "./ahead.ts";

/** No browser has Mesa's software driver compile for a page. */
export const compilerAhead: typeof system.compilerAhead = () => undefined;

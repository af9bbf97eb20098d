import type * as system from "./budget.ts";

/** Of the memory that the browser tells, which is 8 GiB at most and says nothing of what is free; 4 GiB where it tells none. */
const share = 0.5;

export const hostBudgetBytes: typeof system.hostBudgetBytes = () =>
  share * ((navigator as { readonly deviceMemory?: number }).deviceMemory ?? 4) * 2 ** 30;

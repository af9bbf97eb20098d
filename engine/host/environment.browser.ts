import type * as system from "./environment.ts";

export const environmentVariable: typeof system.environmentVariable = () => undefined;

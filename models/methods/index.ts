import type { Method } from "../training/method.ts";
import { cpl } from "./cpl/index.ts";
import { fixMatch } from "./fixmatch/index.ts";
import { supervised } from "./supervised/index.ts";

export { cpl, fixMatch, supervised };

/** Every method; `acutance train` has a command for each. */
export const methods: readonly Method[] = [cpl, supervised, fixMatch];

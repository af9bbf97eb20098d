export type { ReasonFigures } from "./figures.ts";
export type { ReasonHead, ReasonTold } from "./head.ts";
export { openReasons, saveReasons } from "./head-file.ts";
export { type MadeReasons, type MakeReasonsOptions, makeReasons, usualGood } from "./make-reasons.ts";
export { type Reason, reasons } from "./names.ts";

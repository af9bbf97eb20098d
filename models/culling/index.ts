export type { Capture } from "./capture.ts";
export { type GroupOptions, groupSimilar } from "./group.ts";
export type { Look } from "./look.ts";
export { hashDistance, type PerceptualHash } from "./perceptual-hash.ts";
export type { CullScore, SeenPicture } from "./picture.ts";
export { type BurstRank, type CullDecision, type CullOptions, cullPictures, rankBurst } from "./rank.ts";
export type { CullReason } from "./reason.ts";
export { type SeeOptions, seePicture } from "./see.ts";
export type { Sharpness } from "./sharpness.ts";

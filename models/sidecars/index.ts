export { SidecarError, type SidecarReason } from "./sidecar-error.ts";
export { SidecarNames, type SidecarNaming, sidecarNamings } from "./sidecar-names.ts";
export { type StarOptions, type Stars, starsOf } from "./stars.ts";
export { type Change as SidecarChange, sidecarNamespace, updateSidecar } from "./update-sidecar.ts";
export { type RatedScore, type WriteRatingOptions, type WrittenRating, writeRating } from "./write-rating.ts";

import type { Showing } from "../views/crops.ts";
import type { Settings } from "./options.ts";

/** What a result of a scorer depends on besides the picture. */
export interface ScorerConditions {
  /** Path of the model's file. */
  readonly model: string;
  /** Path of the file that reasons are told by. */
  readonly reasons?: string;
  readonly showing: Showing;
  readonly decoding: {
    readonly strictness: string;
    readonly maxPixels: number | null;
    readonly background: string;
  };
  /** What comes beside the score. */
  readonly gives: { readonly features: boolean; readonly sharpness: boolean };
}

export function conditionsOf(settings: Settings, showing: Showing): ScorerConditions {
  const { path, reasonsPath, strictness, maxPixels, background, features, sharpness } = settings;
  return {
    model: path,
    ...(reasonsPath !== undefined && { reasons: reasonsPath }),
    showing,
    decoding: {
      strictness: strictness ?? "warning",
      maxPixels: maxPixels ?? null,
      background: background ?? "white",
    },
    gives: { features: features === true, sharpness: sharpness === true },
  };
}

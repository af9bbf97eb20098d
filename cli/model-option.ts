import { Option } from "commander";
import { defaultModel, defaultModelName } from "../models/scoring/default-model.ts";

/** The model of commands that score. */
export function modelOption(): Option {
  return new Option("--model <file>", "model made by `acutance train`").default(
    defaultModel,
    `${defaultModelName}, which comes with Acutance`,
  );
}

/** What results call the model: the file that was named, or the name of the one that comes along. */
export function modelWords(model: string): string {
  return model === defaultModel ? defaultModelName : model;
}

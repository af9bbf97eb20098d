import { Option } from "commander";
import { defaultModel, defaultModelName } from "../models/default-model.ts";

/** The model of commands that score. */
export function modelOption(): Option {
  return new Option("--model <file>", "model made by `acutance train`").default(
    defaultModel,
    `${defaultModelName}, which comes with Acutance`,
  );
}

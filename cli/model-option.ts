import { basename } from "node:path";
import { Option } from "commander";
import { defaultModel, defaultModelName, isShipped, modelPath } from "../models/scoring/shipped-models.ts";

/** The model of commands that score. */
export function modelOption(): Option {
  return new Option("--model <file>", "model made by `acutance train`, or `fast` for the faster one that comes along")
    .default(defaultModel, `${defaultModelName}, which comes with Acutance`)
    .argParser(modelPath);
}

/** What results call the model: the file that was named, or the name of one that comes along. */
export function modelWords(model: string): string {
  return isShipped(model) ? basename(model, ".safetensors") : model;
}

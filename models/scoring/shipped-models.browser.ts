import type * as system from "./shipped-models.ts";

// In a page a path is the name under which bytes are held: see models/browser.

export const defaultModelName = "livec-v2" satisfies typeof system.defaultModelName;

export const defaultModel: typeof system.defaultModel = `${defaultModelName}.safetensors`;

export const defaultReasons: typeof system.defaultReasons = "reasons.safetensors";

export const modelPath: typeof system.modelPath = String;

export const reasonsPath: typeof system.reasonsPath = (given) => (given === true ? defaultReasons : String(given));

export const isShipped: typeof system.isShipped = () => false;

export const modelName: typeof system.modelName = (path) => path.replace(/^.*\//, "").replace(/\.[^.]*$/, "");

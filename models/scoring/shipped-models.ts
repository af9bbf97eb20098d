import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";

/** Name of the model that is taken unless another is named: see its card in README. */
export const defaultModelName = "livec-v2";

/** Its path. */
export const defaultModel = shipped(defaultModelName);

/** Words that stand for a model that comes with Acutance where the path of one is asked for. */
const words = { fast: shipped("livec-v2-fast") } as const;

/** The head that tells reasons, which comes with Acutance. */
export const defaultReasons = shipped("reasons");

/** Path of a model: what is given, or that of the shipped model which the word stands for. A file of such a name is given as `./fast`. */
export function modelPath(given: string | URL): string {
  if (given instanceof URL) return fileURLToPath(given);
  return Object.hasOwn(words, given) ? words[given as keyof typeof words] : given;
}

/** Path of a file of reasons. */
export function reasonsPath(given: true | string | URL): string {
  if (given === true) return defaultReasons;
  return given instanceof URL ? fileURLToPath(given) : given;
}

/** What a model is called by its file. */
export function modelName(path: string): string {
  return basename(path, extname(path));
}

/** Whether a path is that of a model which comes with Acutance. */
export function isShipped(path: string): boolean {
  return path === defaultModel || Object.values<string>(words).includes(path);
}

/** The compiled package has the models beside its sources alone. */
function shipped(name: string): string {
  const places = ["../weights/", "../../../models/weights/"].map((folder) =>
    fileURLToPath(new URL(`${folder}${name}.safetensors`, import.meta.url)),
  );
  return places.find((place) => existsSync(place)) ?? places[0]!;
}

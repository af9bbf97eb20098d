import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Name of the model that comes with Acutance: see its card in README. */
export const defaultModelName = "livec-vit-tiny";

const places = ["../weights/", "../../../models/weights/"].map((folder) =>
  fileURLToPath(new URL(`${folder}${defaultModelName}.safetensors`, import.meta.url)),
);

/** Its path. The compiled package has it beside its sources alone. */
export const defaultModel = places.find((place) => existsSync(place)) ?? places[0]!;

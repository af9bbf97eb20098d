import type { Engine } from "./engine.ts";

export const engineNames = ["acutance", "ort", "jax", "tfjs"] as const;
export type EngineName = (typeof engineNames)[number];
export type RivalName = Exclude<EngineName, "acutance">;

export const engineTitles: Record<EngineName, string> = {
  acutance: "Acutance",
  ort: "onnxruntime-node",
  jax: "jax-js",
  tfjs: "TensorFlow.js",
};

export function isEngine(name: string | undefined): name is EngineName {
  return engineNames.some((known) => known === name);
}

/** Loaded in the child that needs one: a rival that cannot be loaded spoils nothing else. */
export const modules: Record<EngineName, () => Promise<{ open(): Promise<Engine> }>> = {
  acutance: () => import("./engines/acutance.ts"),
  ort: () => import("./engines/onnxruntime.ts"),
  jax: () => import("./engines/jax.ts"),
  tfjs: () => import("./engines/tfjs.ts"),
};

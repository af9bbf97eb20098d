import texts from "acutance:shaders";
import type * as system from "./files.ts";

// A page has no folders: there are the engine's own alone, whose texts are part of the bundle.

export const isShaderFile: typeof system.isShaderFile = (name, folder) =>
  folder === undefined && Object.hasOwn(texts, name);

export const readShader: typeof system.readShader = (name, folder) => {
  if (isShaderFile(name, folder)) return texts[name]!;
  throw new Error(`there is no kernel "${name}"`);
};

export const shaderFiles: typeof system.shaderFiles = () => Object.keys(texts);

export const shaderPath: typeof system.shaderPath = (name, folder) => `${folder}/${name}.wgsl`;

import { readdirSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The engine's kernels and parts, `<name>.wgsl` below it. */
const shaders = fileURLToPath(new URL("../../shaders/", import.meta.url));

/** Whether there is `<name>.wgsl`, in a folder or among the engine's own. */
export function isShaderFile(name: string, folder = shaders): boolean {
  return statSync(resolve(folder, `${name}.wgsl`), { throwIfNoEntry: false })?.isFile() === true;
}

/** Text of `<name>.wgsl`, in a folder or of the engine's own. @throws the system's error, or TypeError where it is no UTF-8 */
export function readShader(name: string, folder = shaders): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(resolve(folder, `${name}.wgsl`)));
}

/** Names of the engine's own. */
export function shaderFiles(): string[] {
  return readdirSync(shaders, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".wgsl"))
    .map((path) => path.replaceAll("\\", "/").replace(/\.wgsl$/, ""));
}

/** Where `<name>.wgsl` of a folder lies. */
export function shaderPath(name: string, folder: string): string {
  return resolve(folder, `${name}.wgsl`);
}

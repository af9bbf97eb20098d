import { isShaderFile, readShader, shaderFiles, shaderPath } from "./files.ts";
import { type PartText, partsOf, TemplateError } from "./template.ts";

const texts = new Map<string, string>();

/** Text of `shaders/<name>.wgsl` as it lies on disk. */
export function kernelText(name: string): string {
  let text = texts.get(name);
  if (text === undefined) {
    text = readShader(name);
    texts.set(name, text);
  }
  return text;
}

/**
 * Takes in the text of a kernel that is none of the engine's own files.
 * @returns the name to call it by: the one asked for, with a number behind it where another text has it already
 */
export function addKernelText(name: string, text: string): string {
  for (let count = 1; ; count++) {
    const free = count === 1 ? name : `${name} ${count}`;
    const taken = texts.get(free) ?? (isShaderFile(free) ? kernelText(free) : undefined);
    if (taken === undefined) texts.set(free, text);
    if (taken === undefined || taken === text) return free;
  }
}

/** A kernel's text with those of all parts that it may use, where it uses them first: for a search that needs no lines. */
export function wholeText(name: string): string {
  const text = kernelText(name);
  const left = partsOf(text, enginePart, `${name}.wgsl`);
  const whole = (own: string): string =>
    own.replace(/^\s*\/\/#use\s+(\S+)\s*$/gm, (_, part: string) => {
      const found = left.get(part);
      left.delete(part);
      return found === undefined ? "" : whole(found);
    });
  return whole(text);
}

/** Names of all files below `shaders/`, sorted: kernels have an entry point, parts have none. */
export function shaderNames(): { readonly kernels: string[]; readonly parts: string[] } {
  const names = shaderFiles().sort();
  const kernels = new Set(names.filter((name) => hasEntryPoint(kernelText(name))));
  return { kernels: [...kernels], parts: names.filter((name) => !kernels.has(name)) };
}

function hasEntryPoint(text: string): boolean {
  return /@compute\b/.test(text.replace(/\/\/.*$/gm, ""));
}

/** Parts among the engine's own files: `random/philox` is `shaders/random/philox.wgsl`. */
export const enginePart: PartText = (name) => {
  if (!isShaderFile(name))
    throw new TemplateError(`there is no part "${name}"; the engine has ${shaderNames().parts.join(", ")}`);
  return expectPart(name, kernelText(name));
};

/** Parts in a folder, `near/part` being `near/part.wgsl` there, and the engine's where it has none of that name. */
export function partIn(folder: string): PartText {
  return (name) => {
    if (isShaderFile(name, folder)) return expectPart(name, readPart(name, folder));
    try {
      return enginePart(name);
    } catch (error) {
      throw error instanceof TemplateError
        ? new TemplateError(`${error.message}, and there is no ${shaderPath(name, folder)}`)
        : error;
    }
  };
}

function readPart(name: string, folder: string): string {
  try {
    return readShader(name, folder);
  } catch (error) {
    throw new TemplateError(`the part "${name}" cannot be read: ${(error as Error).message}`);
  }
}

function expectPart(name: string, text: string): string {
  if (hasEntryPoint(text))
    throw new TemplateError(`"${name}" has an entry point: it is a kernel, and only what has none is a part`);
  return text;
}

import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join, normalize } from "node:path";
import type { ExternalBytes } from "./elements.ts";
import { OnnxError } from "./errors.ts";
import type { TensorProto } from "./schema.ts";

/** Reads the parts of files of external data beside a model, each file once. @param path of the model; without it there are none */
export function externalBytes(path: string | undefined): ExternalBytes {
  const files = new Map<string, Uint8Array>();
  return ({ name, externalData }: TensorProto) => {
    const of = (key: string) => externalData.find((entry) => entry.key === key)?.value;
    const location = of("location") ?? "";
    if (path === undefined)
      throw new OnnxError(
        `tensor "${name}" lies in another file, "${location}": give the path of the model, not its bytes`,
      );
    const inside = normalize(location);
    if (location === "" || isAbsolute(inside) || inside.startsWith(".."))
      throw new OnnxError(`tensor "${name}" lies in "${location}", which is not beside the model`);
    let file = files.get(inside);
    if (!file) {
      try {
        file = readFileSync(join(dirname(path), inside));
      } catch (error) {
        throw new OnnxError(`tensor "${name}" lies in "${inside}", which cannot be read: ${(error as Error).message}`);
      }
      files.set(inside, file);
    }
    const start = Number(of("offset") ?? 0);
    return file.subarray(start, start + Number(of("length") ?? file.length - start));
  };
}

import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { inside } from "../host/inside.ts";
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
    const within = isAbsolute(location) ? undefined : inside(dirname(path), location);
    if (within === undefined)
      throw new OnnxError(`tensor "${name}" lies in "${location}", which is not beside the model`);
    let file = files.get(within);
    if (!file) {
      try {
        file = readFileSync(join(dirname(path), within));
      } catch (error) {
        throw new OnnxError(`tensor "${name}" lies in "${within}", which cannot be read: ${(error as Error).message}`);
      }
      files.set(within, file);
    }
    const start = Number(of("offset") ?? 0);
    return file.subarray(start, start + Number(of("length") ?? file.length - start));
  };
}

import { insteadOfFile } from "../../engine/file-kind.ts";
import { open, readdir, stat } from "../../engine/host/files.ts";
import { SafetensorsError } from "../../engine/weights/safetensors.ts";
import { printable } from "../data/files/file-name.ts";
import { reasonOf } from "../data/files/reason-of.ts";
import { kindOf } from "../data/pictures/kind.ts";
import { PictureError } from "../data/pictures/picture-error.ts";
import { defaultModelName, isShipped } from "./shipped-models.ts";

/** A file that cannot be a model; the message says what it is and what to do. */
export class ModelFileError extends SafetensorsError {
  override name = "ModelFileError";
}

/**
 * Looks at a model's file before a device is opened for it.
 * @throws ModelFileError when there is none, or its first bytes are those of something else
 */
export async function expectModelFile(path: string): Promise<void> {
  const why = await whyNoModel(path);
  if (why === undefined) return;
  const option = PictureError.audience === "library" ? "`model`" : "--model";
  const advice = isShipped(path)
    ? `It comes with Acutance: install that again, or name another model as ${option}.`
    : `Name a model made by \`acutance train\` as ${option}, or leave that out for ${defaultModelName}, which comes with Acutance.`;
  throw new ModelFileError(`The model ${printable(path) || '""'} ${why}. ${advice}`);
}

async function whyNoModel(path: string): Promise<string | undefined> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) {
      const models = (await readdir(path)).filter((name) => name.endsWith(".safetensors")).map(printable);
      return models.length > 0
        ? `is a folder, which holds ${models.join(", ")}`
        : "is a folder, and there is no model in it";
    }
    // Opening it may wait for ever.
    const instead = await insteadOfFile(path);
    if (instead) return `is ${instead}, not a file`;
    if (info.size === 0) return "is an empty file: copy or download it again";
    return whatElse(await headOf(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? "is not there" : `cannot be read: ${reasonOf(error)}`;
  }
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(1024), 0, 1024, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** What a file is that does not begin as safetensors do, with eight bytes of a length and a JSON object. */
function whatElse(head: Uint8Array): string | undefined {
  if (head[8] === "{".charCodeAt(0)) return undefined;
  const start = String.fromCharCode(...head.subarray(0, 4));
  if (start.startsWith("PK") || start.startsWith("\x80\x02")) {
    return "is a file of PyTorch or another archive; weights of a backbone can begin a training (`acutance train METHOD --init`)";
  }
  const kind = kindOf(head);
  if (kind && "format" in kind) return `is a ${kind.format.toUpperCase()} picture`;
  return kind ? `is no safetensors file: ${kind.refusal.detail.replace(/\.$/, "").replace(/^It/, "it")}` : undefined;
}

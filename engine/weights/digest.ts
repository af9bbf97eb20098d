import { createSha256 } from "../host/sha256.ts";
import { SafetensorsError, type SafetensorsFile, type TensorToStore } from "./safetensors.ts";
import { faultOf, type TensorInfo } from "./stored.ts";

/** Where the texts of a header keep the digest. */
export const digestKey = "sha256";

type Texts = Iterable<readonly [key: string, text: string]>;

/** The texts of a header with a digest of them and of the tensors: {@link checkDigest} knows a damaged file by it. */
export function withDigest(
  tensors: readonly TensorToStore[],
  texts: Readonly<Record<string, string>>,
): Record<string, string> {
  const digest = new Digest(Object.entries(texts));
  for (const { data, ...info } of inOrder(tensors)) {
    digest.add(info, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return { ...texts, [digestKey]: digest.end() };
}

/**
 * Reads a file once and compares it with the digest that it was written with.
 * @returns false when it carries none, as files of others and of earlier versions
 * @throws SafetensorsError when tensors or texts are not those that were written
 */
export async function checkDigest(file: SafetensorsFile): Promise<boolean> {
  const expected = file.metadata.get(digestKey);
  if (expected === undefined) return false;
  const digest = new Digest([...file.metadata].filter(([key]) => key !== digestKey));
  let fault = "";
  for (const info of inOrder([...file.tensors.values()])) {
    const tensor = await file.read(info.name);
    digest.add(info, tensor.bytes);
    fault ||= faultOf(tensor) ?? "";
  }
  if (digest.end() === expected) return true;
  throw new SafetensorsError(
    `${file.path}: the file is damaged, or was changed since it was written: its tensors and card do not have its SHA-256${fault && `; ${fault}`}`,
  );
}

/** SHA-256 over the texts and over names, dtypes, shapes and bytes of tensors, which are given in one order. */
class Digest {
  readonly #hash = createSha256();

  constructor(texts: Texts) {
    const sorted = [...texts].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#hash.update(JSON.stringify(sorted));
  }

  add({ name, dtype, shape }: Pick<TensorInfo, "name" | "dtype" | "shape">, bytes: Uint8Array): void {
    // What comes before a tensor's bytes says how many there are, so that no two files are one text.
    this.#hash.update(`\n${JSON.stringify([name, dtype, shape])}\n`);
    this.#hash.update(bytes);
  }

  end(): string {
    return this.#hash.hex();
  }
}

function inOrder<Named extends { readonly name: string }>(tensors: readonly Named[]): Named[] {
  return [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
}

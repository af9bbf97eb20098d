import { createHash } from "node:crypto";

/** A SHA-256 over pieces, which are texts (as UTF-8) or bytes. */
export interface Sha256 {
  update(piece: string | Uint8Array): unknown;
  /** 64 hexadecimal digits. */
  hex(): string;
}

export function createSha256(): Sha256 {
  const hash = createHash("sha256");
  return { update: (piece) => hash.update(piece), hex: () => hash.digest("hex") };
}

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type * as system from "./sha256.ts";

/** In parts and at once, as the Web Crypto of a page cannot. */
export const createSha256: typeof system.createSha256 = () => {
  const hash = sha256.create();
  return {
    update: (piece) => hash.update(typeof piece === "string" ? utf8ToBytes(piece) : piece),
    hex: () => bytesToHex(hash.digest()),
  };
};

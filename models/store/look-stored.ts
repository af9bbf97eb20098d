import { createHash } from "node:crypto";
import { type KeptLook, keptLook, lookVersion, seenOf } from "../culling/kept-look.ts";
import type { SeenPicture } from "../culling/picture.ts";
import { lookInto, readPicture, type SeeOptions } from "../culling/see.ts";
import type { Picture } from "../data/index.ts";
import { PictureError } from "../data/pictures/picture-error.ts";
import { type FileState, fileState, isLasting, sameState } from "./files.ts";
import type { Store, StoredLook } from "./store.ts";

/** Small copies, which the store keeps as well. */
export interface Copies {
  /** Format and size. */
  readonly kind: string;
  make(picture: Picture): Promise<Uint8Array>;
  take(image: Uint8Array): void;
}

/** A picture as culling sees it, and whether that was in the store. */
export interface StoredSight {
  readonly seen: SeenPicture;
  readonly stored: boolean;
}

/**
 * Sees a file as culling needs it, but for the score. What the store has is taken from there: of a file whose size and time of change are as they were
 * without a look at the file, else by the SHA-256 of its content.
 * @param copies asks for a small copy as well
 * @throws StoreError; as `seePicture` does
 */
export async function lookStored(
  store: Store,
  path: string,
  options: Omit<SeeOptions, "onPicture" | "scorer"> = {},
  copies?: Copies,
): Promise<StoredSight> {
  const name = options.name ?? path;
  const conditions = conditionsOf(options);
  const state = stateOf(path);
  const known = state && store.file(path);
  const isSame = known?.changed !== undefined && sameState(state!, { size: known.size, changed: known.changed });
  const found = isSame ? foundIn(known.content) : undefined;
  if (found) return found;
  const bytes = await readPicture(path, name);
  const content = createHash("sha256").update(bytes).digest();
  // What changed while it was read is of no use to the next run.
  const isKept = state !== undefined && sameState(state, stateOf(path) ?? { size: -1, changed: -1 });
  const file = isKept ? { path, state, content } : undefined;
  const elsewhere = foundIn(content);
  if (elsewhere) {
    if (file) store.noteFile(path, state!, content);
    return elsewhere;
  }
  try {
    const onPicture = async (picture: Picture) => {
      const image = await copies!.make(picture);
      if (file) store.putCopy(content, copies!.kind, image);
      copies!.take(image);
    };
    const seen = await lookInto(bytes, { ...options, name, ...(copies && { onPicture }) });
    if (file) store.putLook(file, conditions, { look: JSON.stringify(keptLook(seen)) });
    return { seen, stored: false };
  } catch (error) {
    if (file && error instanceof PictureError && isLasting(error.reason))
      store.putLook(file, conditions, { reason: error.reason, error: error.detail });
    throw error;
  }

  /** All that is asked for of a content, or nothing. */
  function foundIn(content: Uint8Array): StoredSight | undefined {
    const found = store.look(content, conditions);
    if (!found) return undefined;
    if (copies && "look" in found) {
      const image = store.copy(content, copies.kind);
      if (!image) return undefined;
      copies.take(image);
    }
    return { seen: sightOf(found, name), stored: true };
  }
}

/** @throws PictureError where it could not be looked at */
function sightOf(found: StoredLook, name: string): SeenPicture {
  if ("error" in found) throw new PictureError(name, found.reason, found.error);
  return seenOf(JSON.parse(found.look) as KeptLook, name);
}

/** What a look depends on besides the picture. */
function conditionsOf({ background, strictness, maxPixels }: SeeOptions): string {
  return JSON.stringify({
    version: lookVersion,
    background: background ?? "white",
    strictness: strictness ?? "warning",
    maxPixels: maxPixels ?? null,
  });
}

function stateOf(path: string): FileState | undefined {
  try {
    return fileState(path);
  } catch {
    // Reading it says what is wrong.
    return undefined;
  }
}

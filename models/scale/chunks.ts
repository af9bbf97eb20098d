import { createHash } from "node:crypto";

/** What a job of pictures holds. Short names: Redis keeps them for every job. */
export interface ChunkData {
  /** What all names begin with. */
  readonly b: string;
  /** The rest of the names. */
  readonly p: readonly string[];
  /** Of a job whose worker has ended: the picture that was being scored alone, and how often pictures were when a worker ended. */
  readonly at?: string;
  readonly ends?: Readonly<Record<string, number>>;
}

/** Pictures in a job: on average, and at most. */
export const [meanChunk, mostChunk] = [32, 64];

/** Names as a job holds them: the folder that all lie in once. */
export function packed(names: readonly string[]): ChunkData {
  const begin = commonFolder(names);
  return { b: begin, p: names.map((name) => name.slice(begin.length)) };
}

/** Names of the pictures in a job. */
export function unpacked({ b, p }: Pick<ChunkData, "b" | "p">): string[] {
  return p.map((rest) => b + rest);
}

function commonFolder(names: readonly string[]): string {
  const [first = "", ...others] = names;
  let length = first.lastIndexOf("/") + 1;
  for (const name of others) {
    while (length > 0 && !name.startsWith(first.slice(0, length)))
      length = length === 1 ? 0 : first.lastIndexOf("/", length - 2) + 1;
  }
  return first.slice(0, length);
}

/** A name under which the same pictures are one job. */
export function chunkId(names: readonly string[]): string {
  return `p-${createHash("sha256").update(names.join("\0")).digest("base64url").slice(0, 16)}`;
}

/**
 * Groups names. Where a group ends depends on the name alone that it ends with, so that the same folder with a few pictures more gives
 * the same groups but for those that the new ones are in.
 */
export async function* chunksOf(names: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string[]> {
  let chunk: string[] = [];
  for await (const name of names) {
    chunk.push(name);
    if (chunk.length < mostChunk && hashOf(name) % meanChunk !== 0) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** FNV-1a (Fowler, Noll and Vo) with a last mixing of its bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 12;
}

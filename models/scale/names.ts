import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { expectNames } from "../../engine/arguments.ts";
import { inside } from "../../engine/host/inside.ts";
import { onDisk, printable } from "../data/files/file-name.ts";
import { entriesOf, listFolder, pictureExtensions } from "../data/files/folder.ts";
import { reasonOf } from "../data/files/reason-of.ts";
import { QueueError } from "./queue-error.ts";
import { isS3, listS3 } from "./s3.ts";

/** Whether a name is a URL of the web. */
export const isWeb = (name: string) => /^https?:\/\//i.test(name);

export interface NamesOptions {
  /** Files are named relative to this folder, and have to lie in it: workers may have it at another place. @default absolute paths */
  readonly root?: string;
  /** Read for the word `-`. @default standard input */
  readonly input?: Readable;
  /** Told, in sentences, of what is left out. */
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal;
}

const optionNames = { root: true, input: true, onNote: true, signal: true } satisfies Record<keyof NamesOptions, true>;

/**
 * The pictures that a word names, one after another, with no more than those of one folder or page in memory: those of a folder and its
 * subfolders, those below `s3://bucket/prefix`, the lines of a text file (paths, URLs, names in S3) or of standard input (`-`), or the one
 * picture that it is.
 * @throws QueueError when it names nothing; the signal's reason
 */
export async function* pictureNames(word: string, options: NamesOptions = {}): AsyncGenerator<string> {
  expectNames("pictureNames", options, optionNames);
  const { signal } = options;
  if (isS3(word)) {
    if (/\.[a-z]+$/i.test(word) && pictureExtensions.includes(word.split(".").at(-1)!.toLowerCase())) yield word;
    else yield* listS3(word, signal);
    return;
  }
  if (isWeb(word)) {
    yield word;
    return;
  }
  if (word === "-") {
    yield* linesOf(options.input ?? process.stdin, options);
    return;
  }
  const info = await stat(onDisk(word)).catch((cause: unknown) => {
    throw new QueueError(
      `${printable(word)} cannot be read: ${reasonOf(cause)}`,
      "name a folder, a picture, a list of names, s3://bucket/prefix or -",
      { cause },
    );
  });
  if (info.isDirectory()) {
    const real = await realpath(onDisk(word));
    yield* below(word, [real], options);
  } else if (/\.(txt|lst|list|csv)$/i.test(word)) yield* linesOf(createReadStream(onDisk(word)), options);
  else yield named(word, options);
}

async function* linesOf(input: Readable, options: NamesOptions): AsyncGenerator<string> {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) {
      options.signal?.throwIfAborted();
      const name = line.trim();
      if (name === "") continue;
      yield isS3(name) || isWeb(name) ? name : named(name, options);
    }
  } finally {
    lines.close();
  }
}

/** Pictures of a folder, then those of its folders. @param within real paths of the folders on the way here */
async function* below(folder: string, within: readonly string[], options: NamesOptions): AsyncGenerator<string> {
  const { signal, onNote = () => {} } = options;
  signal?.throwIfAborted();
  const { pictures, leftOut } = await listFolder(folder, { recursive: false });
  for (const { name, why } of leftOut) onNote(`left out: ${printable(join(folder, name))}: ${why}`);
  for (const name of pictures) yield named(join(folder, name), options);
  const entries = (await entriesOf(folder).catch(() => [])).filter(({ name }) => !name.startsWith("."));
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, kind } of entries) {
    if (kind !== "folder" && kind !== "link") continue;
    const path = join(folder, name);
    const isFolder = await stat(onDisk(path)).then(
      (info) => info.isDirectory(),
      () => false,
    );
    if (!isFolder) continue;
    const real = await realpath(onDisk(path));
    if (within.some((above) => `${above}/`.startsWith(`${real}/`))) continue;
    yield* below(path, [...within, real], options);
  }
}

/** @throws QueueError when a file does not lie in the root */
function named(path: string, { root }: NamesOptions): string {
  if (root === undefined) return resolve(path);
  const name = inside(root, resolve(path));
  if (name !== undefined) return name;
  throw new QueueError(
    `${printable(path)} does not lie in the root ${printable(root)}`,
    "name pictures in it, or another folder as `root`",
  );
}

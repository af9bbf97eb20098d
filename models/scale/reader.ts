import { readFile } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { inside } from "../../engine/host/inside.ts";
import { onDisk } from "../data/files/file-name.ts";
import { reasonOf } from "../data/files/reason-of.ts";
import { PictureError, type PictureReason } from "../data/pictures/picture-error.ts";
import { type FetchingOptions, fetchPicture } from "../service/fetch-picture.ts";
import { type FileState, fileState } from "../store/files.ts";
import { isWeb } from "./names.ts";
import { clientOf, isS3, partsOf } from "./s3.ts";

export interface ReaderOptions {
  /** The folder that relative names lie in; then nothing outside of it is read. */
  readonly root?: string | undefined;
  /** How pictures of the web are fetched; undefined: they are not. */
  readonly fetching?: FetchingOptions | undefined;
  /** Seconds for a picture of the web to come. */
  readonly urlSeconds: number;
  /** Longer pictures are refused. */
  readonly maxBytes: number;
}

/** Where the bytes of a picture are. */
export interface Located {
  /** Path of a file, or the address. */
  readonly path: string;
  /** Of a file; undefined for what has to be fetched. */
  readonly state: FileState | undefined;
}

/** What cannot be told by time and size. */
const unknownState = (size: number): FileState => ({ size, changed: Number.POSITIVE_INFINITY });

/** Reads the pictures of jobs: files of this machine, objects in S3 and, where that is allowed, what is on public addresses of the web. */
export class PictureReader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** @throws PictureError when there is no such file, or it must not be read */
  locate(name: string): Located {
    if (isS3(name)) return { path: name, state: undefined };
    if (isWeb(name)) {
      if (this.#options.fetching) return { path: name, state: undefined };
      throw new PictureError(name, "not-a-file", "It is a URL, and this worker fetches none.", {
        advice: "Start the workers with --allow-urls to fetch from public addresses.",
      });
    }
    const path = this.#pathOf(name);
    try {
      const state = fileState(path);
      if (state.size > this.#options.maxBytes) throw tooLong(name, this.#options.maxBytes);
      return { path, state };
    } catch (error) {
      throw error instanceof PictureError ? error : unreadable(name, error);
    }
  }

  /**
   * The bytes of a picture, and what is known of the file that they are from.
   * @throws PictureError; Problem for the web; S3's error; the signal's reason
   */
  async read(
    name: string,
    { path, state }: Located,
    signal: AbortSignal,
  ): Promise<{ bytes: Uint8Array; state: FileState }> {
    if (state) {
      try {
        return { bytes: new Uint8Array(await readFile(onDisk(path), { signal })), state };
      } catch (error) {
        signal.throwIfAborted();
        throw unreadable(name, error);
      }
    }
    const bytes = isS3(name) ? await this.#fromS3(name) : await this.#fromWeb(name, signal);
    if (bytes.length > this.#options.maxBytes) throw tooLong(name, this.#options.maxBytes);
    return { bytes, state: unknownState(bytes.length) };
  }

  async #fromS3(name: string): Promise<Uint8Array> {
    const { bucket, key } = partsOf(name);
    const { maxBytes } = this.#options;
    try {
      // One more than is allowed tells that there are more.
      return new Uint8Array(
        await clientOf(bucket)
          .file(key)
          .slice(0, maxBytes + 1)
          .arrayBuffer(),
      );
    } catch (error) {
      const { code = "" } = error as { code?: string };
      if (code === "NoSuchKey" || code === "NoSuchBucket" || code === "InvalidRange")
        throw new PictureError(name, code === "InvalidRange" ? "empty" : "missing", `S3 answers ${code}.`, {
          cause: error,
        });
      throw error;
    }
  }

  async #fromWeb(name: string, signal: AbortSignal): Promise<Uint8Array> {
    const { fetching = {}, urlSeconds: seconds, maxBytes } = this.#options;
    if (!URL.canParse(name)) throw new PictureError(name, "not-a-file", "It is no URL.");
    return fetchPicture(new URL(name), { maxBytes, seconds, signal, hold: () => {} }, fetching);
  }

  /** @throws PictureError when a name leads out of the root */
  #pathOf(name: string): string {
    const { root } = this.#options;
    if (root === undefined) {
      if (isAbsolute(name)) return name;
      throw new PictureError(name, "missing", "It is relative, and this worker has no root.", {
        advice: "Start the workers with --root and the folder that names are relative to.",
      });
    }
    const within = inside(root, name);
    if (within !== undefined) return join(resolve(root), within);
    throw new PictureError(name, "not-a-file", "It does not lie in the root of this worker.", {
      advice: "Name pictures below the folder that workers have as --root.",
    });
  }
}

const reasons: Readonly<Record<string, PictureReason>> = {
  ENOENT: "missing",
  ENOTDIR: "missing",
  EISDIR: "not-a-file",
  ENOTFILE: "not-a-file",
};

function unreadable(name: string, error: unknown): PictureError {
  const reason = reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? "unreadable";
  return new PictureError(name, reason, `The file cannot be read: ${reasonOf(error)}.`, { cause: error });
}

function tooLong(name: string, maxBytes: number): PictureError {
  return new PictureError(name, "too-many-bytes", `It has more than ${maxBytes} bytes.`);
}

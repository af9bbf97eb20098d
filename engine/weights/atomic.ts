import { randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileError } from "./files.ts";

/** What can be written: text, bytes, or pieces of bytes one after the other. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file so that `path` holds either its old content or all of the new one, even across a crash or power loss:
 * written under a temporary name in the same folder, flushed, renamed, and the folder flushed. Nothing is left behind
 * when it fails.
 * @throws FileError (no such folder, no permission, disk full) or what `content` throws
 */
export async function writeFileAtomically(path: string, content: FileContent): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, "wx");
    try {
      for await (const piece of pieces(content)) await writeAll(file, piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw fileError(path, error, "written");
  }
  await syncFolder(folder);
}

/**
 * Removes what writing these files of a folder left behind when its process was killed. Not while another writes them.
 * @param names of files, without the folder
 */
export async function removeTemporaries(folder: string, names: readonly string[]): Promise<void> {
  const isStale = (entry: string) =>
    names.some((name) => entry.startsWith(`.${name}.`) && /^[0-9a-f-]{36}\.tmp$/.test(entry.slice(name.length + 2)));
  const stale = (await readdir(folder)).filter(isStale);
  await Promise.all(stale.map((entry) => rm(join(folder, entry), { force: true })));
}

function pieces(content: FileContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

// Node refuses to write 2 GiB at once.
const MAX_WRITE_BYTES = 2 ** 30;

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length)
    done += (await file.write(bytes, done, Math.min(bytes.length - done, MAX_WRITE_BYTES))).bytesWritten;
}

/** Makes the rename last. Windows cannot open folders and does not need it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Some network and FUSE file systems cannot flush a folder; the file itself is complete.
    if (!["EINVAL", "ENOTSUP", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    await handle.close();
  }
}

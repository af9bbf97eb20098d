import { randomUUID } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { access, link, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { nameOfBytes, onDisk } from "../data/files/file-name.ts";

/** A file as it was read. */
export interface ReadFile {
  readonly bytes: Uint8Array;
  readonly state: BigIntStats;
}

/** The file and its state; undefined where there is none. @throws the system's error */
export async function readIfThere(path: string): Promise<ReadFile | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(onDisk(path), "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const state = await file.stat({ bigint: true });
    if (!state.isFile()) throw Object.assign(new Error("it is no file"), { code: "EISDIR" });
    return { bytes: await file.readFile(), state };
  } finally {
    await file.close();
  }
}

/** Whether the file is as it was read. */
export async function isAsRead(path: string, read: ReadFile | undefined): Promise<boolean> {
  const now = await stat(onDisk(path), { bigint: true }).catch(() => undefined);
  if (!now || !read) return !now && !read;
  return (["dev", "ino", "size", "mtimeNs", "ctimeNs"] as const).every((part) => now[part] === read.state[part]);
}

/**
 * Puts bytes in the place of a file, all at once, with its mode and owner; a link stays one. False when it is no longer as it was read,
 * or, where there was none, when there is one now; nothing is changed then. Between the last look and the replacement are microseconds
 * in which a change by others would be lost.
 * @throws the system's error, also for a file that may not be written to
 */
export async function replaceIfAsRead(path: string, bytes: Uint8Array, read: ReadFile | undefined): Promise<boolean> {
  if (read) await access(onDisk(path), constants.W_OK);
  const target = read ? nameOfBytes(await realpath(onDisk(path), { encoding: "buffer" })) : path;
  const temporary = onDisk(join(dirname(target), `.${randomUUID()}.tmp`));
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      if (read) {
        // The owner first: changing it takes set-user bits away. Only a superuser may give files away.
        await file.chown(Number(read.state.uid), Number(read.state.gid)).catch(() => {});
        await file.chmod(Number(read.state.mode) & 0o7777);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (!(await isAsRead(path, read))) return false;
    if (read) await rename(temporary, onDisk(target));
    else return await createOnce(temporary, onDisk(target));
    return true;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Gives a file its name unless there is one of that name. */
async function createOnce(temporary: string | Buffer, target: string | Buffer): Promise<boolean> {
  try {
    await link(temporary, target);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // File systems without hard links (FAT, some networks').
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code ?? "")) throw error;
    await rename(temporary, target);
    return true;
  }
}

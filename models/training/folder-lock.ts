import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { expiryMs, type Owner, ownerText, renewalMs, stillHolds, thisProcess } from "./owner.ts";

/** A folder is in another training's hands. */
export class FolderBusyError extends Error {
  override name = "FolderBusyError";
  readonly advice: string;

  constructor(message: string, advice: string) {
    super(message);
    this.advice = advice;
  }
}

const lockFile = "training.lock";

/** Time for another that took over at the same moment to have written its name. */
const settleMs = 150;

const contentSchema = z.object({
  host: z.string(),
  pid: z.number(),
  started: z.string().nullable(),
  since: z.string(),
  token: z.string(),
});

/** What a lock file says, and the time of its last renewal. Without content when that cannot be read. */
interface Held {
  readonly content?: z.infer<typeof contentSchema>;
  readonly renewedMs: number;
}

/**
 * Keeps others from training into a folder: a file with host, process number, start of the process and time, renewed every
 * 20 seconds and removed at the end. One whose owner has ended is taken over.
 */
export class FolderLock implements AsyncDisposable {
  readonly folder: string;
  readonly #token: string;
  /** The topmost folder made for it. */
  readonly #made: string | undefined;
  readonly #timer: NodeJS.Timeout;
  #lost = false;

  private constructor(folder: string, token: string, made: string | undefined) {
    this.folder = folder;
    this.#token = token;
    this.#made = made;
    this.#timer = setInterval(() => void this.renew(), renewalMs);
    this.#timer.unref();
  }

  /**
   * Takes a folder, which is made where there is none.
   * @throws FolderBusyError when another training has it; the system's error when it cannot be written
   */
  static async take(folder: string, log?: (line: string) => void): Promise<FolderLock> {
    const made = await mkdir(folder, { recursive: true });
    const path = join(folder, lockFile);
    const token = randomUUID();
    const since = new Date().toISOString();
    const text = `${JSON.stringify({ ...thisProcess(), since, token }, null, 1)}\n`;
    if (!(await written(path, text))) {
      const held = await heldBy(path);
      if (held) {
        expectEnded(folder, held);
        log?.(
          `${path}: ${held.content ? ownerText(held.content) : "its owner"} has ended without removing it; taken over`,
        );
      }
      await replaced(path, text);
      await setTimeout(settleMs);
      const after = await heldBy(path);
      if (after?.content?.token !== token) throw busy(folder, after);
    }
    await removeLeftovers(folder);
    return new FolderLock(folder, token, made);
  }

  /** @throws FolderBusyError as `take`, without taking the folder */
  static async expectFree(folder: string): Promise<void> {
    const held = await heldBy(join(folder, lockFile));
    if (held) expectEnded(folder, held);
  }

  /** Says that it is still held, or notices that it is not. */
  async renew(): Promise<void> {
    const path = join(this.folder, lockFile);
    const held = await heldBy(path).catch(() => undefined);
    // A file that cannot be read for a moment is no loss; one of another's is, and one that was removed.
    if (held?.content ? held.content.token !== this.#token : !held) this.#lost = true;
    else await utimes(path, new Date(), new Date()).catch(() => {});
  }

  /** @throws FolderBusyError when the folder was taken over, as after a long sleep of this computer: nothing is written then */
  expectHeld(): void {
    if (!this.#lost) return;
    throw new FolderBusyError(
      `${this.folder} is no longer this training's: ${lockFile} was removed or taken over by another`,
      "see that no other training writes there, then go on with --resume",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    const path = join(this.folder, lockFile);
    const held = await heldBy(path).catch(() => undefined);
    if (held?.content?.token === this.#token) await rm(path, { force: true });
    // Fails where something was written, which is then kept.
    if (this.#made !== undefined) await rmdir(this.folder).catch(() => {});
  }
}

function expectEnded(folder: string, held: Held): void {
  const { content, renewedMs } = held;
  const holds = content ? stillHolds(content satisfies Owner, renewedMs) : Date.now() - renewedMs < expiryMs;
  if (holds) throw busy(folder, held);
}

function busy(folder: string, held: Held | undefined): FolderBusyError {
  const content = held?.content;
  const who = content ? `${ownerText(content)} has trained into it since ${content.since}` : "another training has it";
  return new FolderBusyError(
    `${folder} is in use: ${who}`,
    `wait until it has ended, or give another folder with --out; if it has ended for certain, remove ${join(folder, lockFile)}`,
  );
}

/** Writes a lock where there is none. */
async function written(path: string, text: string): Promise<boolean> {
  const temporary = temporaryOf(path);
  try {
    await writeFile(temporary, text, { flag: "wx" });
    // A link appears with its content, or not at all.
    await link(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK", "EOPNOTSUPP"].includes(code ?? "")) throw error;
    return writtenWithoutLinks(path, text);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Removes what processes left that were killed while they took this folder. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${lockFile}.`)) continue;
    const path = join(folder, name);
    const held = await heldBy(path).catch(() => undefined);
    const pid = Number(name.split(".").at(-2));
    // One that was killed before it wrote anything is known by its number alone.
    const owner = held?.content ?? { ...thisProcess(), pid, started: null };
    if (held && !stillHolds(owner, held.renewedMs)) await rm(path, { force: true });
  }
}

function temporaryOf(path: string): string {
  return `${path}.${process.pid}.${randomUUID()}`;
}

/** For file systems that have no links. */
async function writtenWithoutLinks(path: string, text: string): Promise<boolean> {
  try {
    await using file = await open(path, "wx");
    await file.writeFile(text);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function replaced(path: string, text: string): Promise<void> {
  const temporary = temporaryOf(path);
  await writeFile(temporary, text, { flag: "wx" });
  await rename(temporary, path);
}

/** Undefined where there is no lock. */
async function heldBy(path: string): Promise<Held | undefined> {
  try {
    const renewedMs = (await stat(path)).mtimeMs;
    const text = await readFile(path, "utf8").catch(() => "");
    const parsed = contentSchema.safeParse(jsonOf(text));
    return { renewedMs, ...(parsed.success && { content: parsed.data }) };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

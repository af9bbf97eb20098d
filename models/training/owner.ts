import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process that holds something others must leave alone. */
export interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the process started, and where its number counts; tells it from a later one with its number. Null where unknown. */
  readonly started: string | null;
}

/** How often an owner says that it still is one. */
export const renewalMs = 20_000;

/** An owner that cannot be looked at, such as one of another computer, is taken for ended after so long without renewal. */
export const expiryMs = 300_000;

let own: Owner | undefined;

export function thisProcess(): Owner {
  own ??= { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? null };
  return own;
}

/**
 * Whether an owner still holds what it took. One of this computer does as long as its process lives, however busy it is; of
 * another, or where a process cannot be told from a later one with its number, as long as it renews.
 * @param renewedMs when it last renewed, as `Date.now()`
 */
export function stillHolds(owner: Owner, renewedMs: number): boolean {
  const renewed = Date.now() - renewedMs < expiryMs;
  const here = thisProcess();
  if (owner.host !== here.host) return renewed;
  // The number is another boot's or another container's.
  if (owner.started !== null && placeOf(owner.started) !== placeOf(here.started)) return renewed;
  if (!isAlive(owner.pid)) return false;
  const started = startOf(owner.pid);
  if (started === "ended") return false;
  return owner.started === null || started === undefined ? renewed : started === owner.started;
}

/** Whether two are the same process. */
export function sameOwner(a: Owner, b: Owner): boolean {
  return a.host === b.host && a.pid === b.pid && a.started === b.started;
}

/** The owner in words. */
export function ownerText({ host, pid }: Owner): string {
  return host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`;
}

/** Boot and namespace that a process number belongs to. */
function placeOf(started: string | null): string {
  return started?.includes("/") ? started.slice(0, started.lastIndexOf("/")) : "";
}

/** `ended` for one that is dead and not yet waited for. */
function startOf(pid: number): string | undefined {
  if (process.platform === "linux") {
    try {
      // Fields after the command's name, which may hold anything; the 1st is the state, the 20th the start in ticks.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      if (fields[0] === "Z" || fields[0] === "X") return "ended";
      return `${bootOf()}/${namespaceOf()}/${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  if (process.platform === "win32") return undefined;
  const { stdout, status } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
  return status === 0 && stdout.trim() ? stdout.trim() : undefined;
}

function bootOf(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

function namespaceOf(): string {
  return readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

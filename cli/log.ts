import { Buffer } from "node:buffer";
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Lines that are written where somebody reads them, and never waited for. */
export interface LineLog {
  /** Adds a line of JSON with the time. Never throws and never waits: without room for it the line is left out and counted. */
  write(entry: object): void;
  /** Gives a reader some more milliseconds for what is left. */
  close(withinMs: number): Promise<void>;
}

export interface LineLogOptions {
  /** Bytes that wait for a reader at most. @default 1 MiB */
  readonly mostBytes?: number;
}

/** Milliseconds until a full pipe is tried again. */
const retryMs = 50;

/**
 * A log that neither ends nor holds up the process: a reader that goes away, a pipe that nobody reads and a full disk cost lines,
 * and the next line that goes through is preceded by `log-dropped` with their number.
 * @param fd where to, such as 1 for standard output
 */
export function openLineLog(fd: number, { mostBytes = 2 ** 20 }: LineLogOptions = {}): LineLog {
  const target = withoutWaiting(fd);
  let pending: Buffer[] = [];
  let [pendingBytes, dropped] = [0, 0];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const line = (entry: object) => Buffer.from(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
  const add = (bytes: Buffer) => {
    pending.push(bytes);
    pendingBytes += bytes.byteLength;
  };
  /** Writes until nothing is left or the reader is behind; lines that cannot be written at all are gone. */
  const flush = () => {
    timer = undefined;
    while (pending.length > 0) {
      const [first] = pending as [Buffer];
      try {
        const written = writeSync(target, first);
        pendingBytes -= written;
        if (written < first.byteLength) pending[0] = first.subarray(written);
        else pending.shift();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
          timer = setTimeout(flush, retryMs);
          timer.unref();
          return;
        }
        dropped += pending.length;
        pending = [];
        pendingBytes = 0;
      }
    }
  };
  return {
    write(entry) {
      if (pendingBytes > mostBytes) {
        dropped++;
        return;
      }
      if (dropped > 0) {
        const lines = dropped;
        dropped = 0;
        add(line({ level: "warn", event: "log-dropped", lines }));
      }
      add(line(entry));
      if (!timer) flush();
    },
    async close(withinMs) {
      const until = performance.now() + withinMs;
      while (pending.length > 0 && performance.now() < until) await sleep(retryMs);
      clearTimeout(timer);
    },
  };
}

/**
 * The same pipe, opened once more so that a write to it does not wait for its reader; others who have it open are not touched.
 * What is no pipe, or cannot be opened again, stays as it is.
 */
function withoutWaiting(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd;
    return openSync(`/dev/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd;
  }
}

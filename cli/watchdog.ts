import { Worker } from "node:worker_threads";

/** What the watching thread is given. */
export interface Watch {
  /** Counts up while the event loop turns. */
  readonly beats: Int32Array;
  /** Milliseconds without a beat after which the process ends. */
  readonly stallMs: number;
  /** Milliseconds between two looks. */
  readonly lookMs: number;
}

/**
 * Ends the process by SIGKILL, with a line of JSON on standard error, when its event loop stands still for so many seconds: a
 * supervisor then starts it again. Time in which the whole process stands still (SIGSTOP, a sleeping laptop) does not count.
 */
export function startWatchdog(stallSeconds: number): Disposable {
  const stallMs = 1000 * stallSeconds;
  const lookMs = Math.min(500, stallMs / 8);
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const beating = setInterval(() => Atomics.add(beats, 0, 1), lookMs / 2);
  beating.unref();
  const workerData: Watch = { beats, stallMs, lookMs };
  const worker = new Worker(new URL("./watchdog-thread.ts", import.meta.url), { workerData });
  worker.unref();
  return {
    [Symbol.dispose]: () => {
      void worker.terminate();
      clearInterval(beating);
    },
  };
}

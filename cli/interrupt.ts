import { readFileSync } from "node:fs";

/** Signals that ask a command to end, with the exit codes that say so. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Ending = keyof typeof endings;

function onEndings(listener: (signal: Ending) => void): Disposable {
  const signals = (Object.keys(endings) as Ending[]).filter((signal) => signal !== "SIGHUP" || !ignoresHangup());
  for (const signal of signals) process.on(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}

/** Whether the command was started to outlive its terminal (`nohup`), as far as the system tells. */
function ignoresHangup(): boolean {
  if (process.platform !== "linux") return false;
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return ignored !== undefined && (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

/**
 * A signal that Ctrl-C, SIGTERM and a closed terminal abort until it is disposed; a second one ends the process at once with its
 * exit code.
 * @param reason message of the error that the signal gives
 * @returns with `ask`, which aborts it as the first of these does
 */
export function interruptible(
  reason = "interrupted before there was anything to go on from",
): Disposable & { readonly signal: AbortSignal; readonly ask: () => void } {
  const stop = new AbortController();
  const ask = () => {
    if (stop.signal.aborted) return;
    console.error("\nstopping after this step; once more to stop at once");
    stop.abort(new Error(reason));
  };
  const listening = onEndings((signal) => {
    if (stop.signal.aborted) process.exit(endings[signal]);
    ask();
  });
  return { signal: stop.signal, ask, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}

/**
 * Calls `last` when the process ends before this is disposed, however it ends but by force. Ctrl-C, SIGTERM and a closed terminal
 * end it right after that, with exit code 130, 143 or 129; a second one at once.
 * @param last must be done when it returns
 */
export function beforeEnd(last: (interrupted: boolean) => void): Disposable {
  const leaving = () => last(false);
  const listening = onEndings((signal) => {
    dispose();
    try {
      last(true);
    } catch (error) {
      console.error((error as Error).message);
    }
    process.exit(endings[signal]);
  });
  const dispose = () => {
    listening[Symbol.dispose]();
    process.off("exit", leaving);
  };
  process.on("exit", leaving);
  return { [Symbol.dispose]: dispose };
}

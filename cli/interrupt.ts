/** A signal that Ctrl-C and SIGTERM abort until it is disposed; a second one ends the process at once with exit code 130. */
export function interruptible(): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(130);
    console.error("\nstopping after this step; once more to stop at once");
    stop.abort(new Error("interrupted before there was anything to go on from"));
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", interrupt);
    },
  };
}

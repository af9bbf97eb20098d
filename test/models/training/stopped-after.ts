/** Hooks by which a training is interrupted after so many steps; by 0 it is not. */
export function stoppedAfter(steps: number): { readonly signal: AbortSignal; readonly tune: () => Promise<void> } {
  const stop = new AbortController();
  let seen = 0;
  const tune = async () => {
    if (++seen === steps) stop.abort();
  };
  return { signal: stop.signal, tune };
}

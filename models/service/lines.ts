/** What becomes a line. */
interface Row {
  readonly line: unknown;
}

/**
 * Rows as lines of JSON, until `signal` aborts or nobody reads on for so many seconds.
 * @param end called once, when the last line was handed over (`isWhole`) or no further one will be
 */
export function linesOf(
  first: Row,
  rows: AsyncIterator<Row, void>,
  {
    signal,
    end,
    seconds,
  }: { readonly signal: AbortSignal; readonly end: (isWhole: boolean) => void; readonly seconds: number },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Row | undefined = first;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const stop = (isWhole = false) => {
    isOver = true;
    clearTimeout(timer);
    end(isWhole);
    Promise.resolve(rows.return?.()).catch(() => {});
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const gone = () => {
        if (isOver) return;
        controller.error(signal.reason);
        stop();
      };
      signal.addEventListener("abort", gone, { once: true });
      if (signal.aborted) gone();
    },
    async pull(controller) {
      clearTimeout(timer);
      try {
        next ??= (await rows.next()).value ?? undefined;
      } catch (error) {
        if (isOver) return;
        stop();
        throw error;
      }
      if (isOver) return;
      if (!next) {
        controller.close();
        stop(true);
        return;
      }
      controller.enqueue(encoder.encode(`${JSON.stringify(next.line)}\n`));
      next = undefined;
      timer = setTimeout(() => {
        controller.error(new Error(`nobody has read on for ${seconds} s`));
        stop();
      }, 1000 * seconds);
    },
    cancel: () => stop(),
  });
}

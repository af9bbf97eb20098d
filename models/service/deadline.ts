/** A signal for work that must end in time, or when nobody wants it any more. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Aborts it now, with this reason. */
  end(reason: unknown): void;
}

/**
 * A signal that aborts with a TimeoutError after some seconds, with an AbortError as soon as `gone` does, whatever the reason
 * there, and with one when it is disposed of. Unlike `AbortSignal.timeout`, it leaves no timer behind then.
 */
export function deadline(gone: AbortSignal, seconds?: number): Deadline {
  const controller = new AbortController();
  const late = () => controller.abort(new DOMException(`not done within ${seconds} s`, "TimeoutError"));
  const timer = seconds === undefined ? undefined : setTimeout(late, 1000 * seconds);
  const end = () => controller.abort(new DOMException("the client went away", "AbortError"));
  if (gone.aborted) end();
  else gone.addEventListener("abort", end, { once: true });
  return {
    signal: controller.signal,
    end: (reason) => controller.abort(reason),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", end);
      end();
    },
  };
}

/** A signal for work that must end in time, or when nobody wants it any more. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Ends the work now. */
  readonly abort: () => void;
}

/**
 * A signal that aborts with a TimeoutError after some seconds, or with the reason of `gone`. Unlike `AbortSignal.timeout`, it leaves
 * no timer behind when it is disposed of.
 */
export function deadline(gone: AbortSignal, seconds: number): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`not done within ${seconds} s`, "TimeoutError"));
  }, 1000 * seconds);
  const follow = () => controller.abort(gone.reason);
  if (gone.aborted) follow();
  else gone.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      gone.removeEventListener("abort", follow);
    },
  };
}

/** A queue that cannot be used: says why and what to do, without credentials. */
export class QueueError extends Error {
  override name = "QueueError";
  /** What to do. */
  readonly advice: string;

  constructor(message: string, advice: string, options?: ErrorOptions) {
    super(message, options);
    this.advice = advice;
  }
}

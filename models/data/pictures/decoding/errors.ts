/** A decoding process was ended, by whom it says. */
export class DecoderEndedError extends Error {
  override name = "DecoderEndedError";
  /** `start`: it ended before it was ready, so that no picture is to blame. */
  readonly why: "memory" | "stopped" | "crash" | "start";

  constructor(why: DecoderEndedError["why"], message: string) {
    super(message);
    this.why = why;
  }
}

/** All processes for pictures that take long are busy for longer than a picture may wait. */
export class DecoderBusyError extends Error {
  override name = "DecoderBusyError";
}

/** The pool was used after it was ended. */
export class DecodersClosedError extends Error {
  override name = "DecodersClosedError";
}

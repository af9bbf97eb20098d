/** A kernel cannot be inspected as asked; the message says why and what to do. */
export class InspectError extends Error {
  override name = "InspectError";
}

/** What was asked for cannot be: an unknown GPU, say. */
export class InspectUsageError extends InspectError {
  override name = "InspectUsageError";
}

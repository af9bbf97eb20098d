/** A kernel cannot be inspected as asked; the message says why and what to do. */
export class InspectError extends Error {
  override name = "InspectError";
}

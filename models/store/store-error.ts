/** A store cannot be opened or written; the message is a sentence that says what to do. */
export class StoreError extends Error {
  override name = "StoreError";
}

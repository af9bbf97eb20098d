/** Ratings that a model cannot be adapted to, or a model that cannot be; the message says why and what to do. */
export class AdaptError extends Error {
  override name = "AdaptError";
}

/** The numbers, words and further tensors that an operation was called with, as far as its inputs do not say them. */
export type CallDetails = object;

/** One operation as it was called. A device need not know what tensors are. */
export interface JournalEntry<Tensor = object> {
  readonly operation: string;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly details: CallDetails;
}

/** What operations were called in order, while a device keeps one: models are exported by it. */
export type Journal<Tensor = object> = JournalEntry<Tensor>[];

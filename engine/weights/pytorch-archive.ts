import type { Storage } from "./pytorch-classes.ts";
import { WeightsError } from "./stored.ts";

/** A file that is not, or not wholly, a PyTorch archive of weights; names the file and what was found. */
export class PytorchError extends WeightsError {
  override name = "PytorchError";
}

/** Reads bytes `begin` to `end` of a storage. */
export type StorageReader = (storage: Storage, begin: number, end: number) => Promise<Uint8Array<ArrayBuffer>>;

/** What both forms of `torch.save` come to: the pickled value, and the storages it refers to, all there. */
export interface Archive {
  readonly value: unknown;
  readonly read: StorageReader;
}

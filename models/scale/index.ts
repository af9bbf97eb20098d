export { type NamesOptions, pictureNames } from "./names.ts";
export {
  type AddOptions,
  type DeadPicture,
  openQueue,
  PictureQueue,
  type QueueOptions,
  type QueueStatus,
  type Sent,
} from "./queue.ts";
export { QueueError } from "./queue-error.ts";
export { openWorker, PictureWorker } from "./worker.ts";
export type { WorkerOptions } from "./worker-options.ts";

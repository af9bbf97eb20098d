import { expectNames } from "../../engine/arguments.ts";
import type { ScorerOptions } from "../scoring/scorer.ts";
import type { FetchingOptions } from "../service/fetch-picture.ts";
import type { LogEntry } from "../service/options.ts";
import type { QueueOptions } from "./queue.ts";

/** How `openWorker` opens a worker. */
export interface WorkerOptions extends Pick<QueueOptions, "name" | "signal" | "waits"> {
  /** Address of the Redis, such as `redis://user:password@host:6379`. */
  readonly queue: string;
  /** Where results go: a file of SQLite, for workers of one machine, or `postgres://user:password@host/database`. */
  readonly store: string;
  /** The model, and how pictures are shown to it. */
  readonly scorer?: Omit<ScorerOptions, "onBatch" | "onNote" | "onDeviceLost">;
  /** The folder that relative names lie in; nothing outside of it is read then. */
  readonly root?: string;
  /** Whether pictures are fetched by their URL, from public addresses only; then how. @default false */
  readonly urls?: boolean | FetchingOptions;
  /** Time for a picture that is named by its URL to come, seconds. @default 30 */
  readonly urlSeconds?: number;
  /** Pictures that are begun at a time. @default as many as keep the scorer's batches full */
  readonly concurrency?: number;
  /** Bytes of pictures that are held at a time. @default 268435456 (256 MiB) */
  readonly heldBytes?: number;
  /** How often the worker of a picture may end at once before the picture is given up: the first time beside others, then alone. @default 4 */
  readonly mostEnds?: number;
  /** A worker that has said nothing for so long is taken for ended, and its jobs go to others, seconds. @default 30 */
  readonly lockSeconds?: number;
  /** Ends by itself when the queue is empty. @default false */
  readonly untilEmpty?: boolean;
  /** Takes the log: what happened, never what a picture is called. */
  readonly log?: (entry: LogEntry) => void;
}

const names = {
  name: true,
  signal: true,
  waits: true,
  queue: true,
  store: true,
  scorer: true,
  root: true,
  urls: true,
  urlSeconds: true,
  concurrency: true,
  heldBytes: true,
  mostEnds: true,
  lockSeconds: true,
  untilEmpty: true,
  log: true,
} satisfies Record<keyof WorkerOptions, true>;

/**
 * @throws ArgumentError for a name that is none of the options; RangeError for a number that means nothing
 */
export function expectWorkerOptions(options: WorkerOptions): void {
  expectNames("openWorker", options, names);
  for (const name of ["concurrency", "heldBytes", "mostEnds", "lockSeconds", "urlSeconds"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 1 && value < 2 ** 40))
      throw new RangeError(`\`${name}\` must be at least 1, got ${value}`);
  }
}

import { QueueError } from "./queue-error.ts";

type BunApi = typeof import("bun");

/** What Bun has and other runtimes have not. @throws QueueError elsewhere, naming what was wanted */
export function bunFor(what: string): BunApi {
  const bun = (globalThis as { readonly ["Bun"]?: BunApi })["Bun"];
  if (bun) return bun;
  throw new QueueError(
    `${what} is read and written by Bun, and this is another runtime`,
    "start the command with Bun 1.4 or newer",
  );
}

import { QueueError } from "./queue-error.ts";

/** What is used of the packages that a queue needs. */
export interface Libraries {
  readonly bull: typeof import("bullmq");
  readonly Redis: typeof import("ioredis").Redis;
}

/** Packages of their own that their users ask for: most who score pictures need no queue. */
const packages = { bull: "bullmq", redis: "ioredis" } as const;

/** @throws QueueError when a package is not installed */
export async function libraries(): Promise<Libraries> {
  // Not known where packages are bundled, and no part of the installation.
  const [bull, redis]: string[] = [packages.bull, packages.redis];
  try {
    const loaded = await Promise.all([import(bull!), import(redis!)]);
    return { bull: loaded[0], Redis: loaded[1].Redis };
  } catch (cause) {
    const isAbsent = /Cannot find|ERR_MODULE_NOT_FOUND|not found/i.test(String(cause));
    throw new QueueError(
      `a queue needs the packages ${bull} and ${redis}, ${isAbsent ? "which are not installed" : `which do not start: ${cause}`}`,
      `install them beside Acutance: npm install ${bull} ${redis}`,
      { cause },
    );
  }
}

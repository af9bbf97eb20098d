import type { Redis } from "ioredis";
import { type Libraries, libraries } from "./libraries.ts";
import { QueueError } from "./queue-error.ts";
import { keepSecretsOf, redacted } from "./redact.ts";

/** Before the name of every key of ours in Redis. */
export const prefix = "acutance";

/** Of what is kept in Redis; a queue of another version is not touched. */
export const queueVersion = "1";

export interface ConnectOptions {
  /** Told, in sentences, that the server is away and that it is back. */
  readonly onNote?: (note: string) => void;
  /** Ends the wait for a server with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Whether a server that is away is waited for. @default true */
  readonly waits?: boolean;
}

/** Redis, or a server that speaks as it does, and the packages that speak to it. */
export interface Connection extends AsyncDisposable {
  readonly redis: Redis;
  readonly bull: Libraries["bull"];
  /** The server in words, without credentials. */
  readonly place: string;
  /** Whether commands reach the server now. */
  readonly isReady: boolean;
}

/** Longest time between two attempts to reach a server, milliseconds. */
const longestPauseMs = 5000;

/** @throws QueueError when a text is no URL of a Redis */
function addressOf(url: string): { readonly url: string; readonly place: string } {
  const known = /^(redis|rediss|valkey|valkeys):\/\//i.exec(url);
  if (!known || !URL.canParse(url)) {
    throw new QueueError(
      `${JSON.stringify(redacted(url))} is no address of a Redis`,
      "give one such as redis://127.0.0.1:6379, or rediss://user:password@host:6379/0 with TLS; letters such as / @ : in a password are written %2F %40 %3A",
    );
  }
  keepSecretsOf(url);
  const { hostname, port, pathname } = new URL(url);
  const spoken = url.replace(/^valkey/i, "redis");
  const scheme = known[1]!.toLowerCase();
  return {
    url: spoken,
    place: `${scheme}://${hostname || "127.0.0.1"}:${port || 6379}${pathname.replace(/^\/$/, "")}`,
  };
}

const refusals: readonly (readonly [pattern: RegExp, words: string, advice: string])[] = [
  [
    /^WRONGPASS|invalid password|invalid username-password/i,
    "refuses the name or password",
    "give those of its users in the address, redis://name:password@host",
  ],
  [
    /^NOAUTH/i,
    "asks for a password",
    "give it in the address, redis://:password@host, best by the environment variable ACUTANCE_QUEUE",
  ],
  [
    /^NOPERM/i,
    "does not let this user do what a queue needs",
    "give the user all commands on keys that begin with acutance: (ACL SETUSER name ~acutance:* +@all)",
  ],
  [/DB index is out of range/i, "has no database of that number", "name one that it has, as in redis://host:6379/0"],
  [
    /certificate|SSL|TLS|wrong version number/i,
    "cannot be reached by TLS",
    "use redis:// where it has no TLS, and a certificate that this machine trusts where it has",
  ],
];

/** What a server says for certain, as an error; undefined of what may pass. */
export function refusalOf(error: unknown, place: string): QueueError | undefined {
  const message = error instanceof Error ? error.message : String(error);
  const known = refusals.find(([pattern]) => pattern.test(message));
  return known && new QueueError(`the queue at ${place} ${known[1]}`, known[2], { cause: error });
}

/** Whether Redis has no memory left for what was asked. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && /^OOM |\bOOM command not allowed/.test(error.message);
}

/** A Redis without room, as an error. */
export function fullError(place: string, cause: unknown): QueueError {
  return new QueueError(
    `the Redis at ${place} has no memory left (maxmemory); nothing that it holds is lost`,
    "raise its maxmemory or let workers finish some of the queue, then run the same command again: what waits already is not sent twice",
    { cause },
  );
}

/**
 * Connects to Redis, and goes on connecting whenever it is away.
 * @throws QueueError when the server refuses us, or is away and not to be waited for; the signal's reason
 */
export async function connect(given: string, options: ConnectOptions = {}): Promise<Connection> {
  const { onNote = () => {}, signal, waits = true } = options;
  const { url, place } = addressOf(given);
  const { bull, Redis } = await libraries();
  const redis = new Redis(url, {
    lazyConnect: true,
    // Commands wait for a server that is away; a queue has to.
    maxRetriesPerRequest: null,
    connectTimeout: 10_000,
    retryStrategy: (tries) => Math.min(longestPauseMs, 100 * 2 ** Math.min(tries, 6)),
  });
  let [isAway, closing] = [false, false];
  const ready = Promise.withResolvers<void>();
  const away = (error: unknown) => {
    const refusal = refusalOf(error, place);
    if (refusal) return ready.reject(refusal);
    const why = redacted(wordsOf(error));
    if (!waits)
      ready.reject(
        new QueueError(`no Redis answers at ${place} (${why})`, "start it, or give the address of another", {
          cause: error,
        }),
      );
    if (!isAway && waits && !closing) onNote(`the Redis at ${place} is away (${why}): waiting for it`);
    isAway = true;
  };
  redis.on("error", away);
  redis.on("close", () => {
    if (!closing && !isAway) away(new Error("the connection ended"));
  });
  redis.on("ready", () => {
    if (isAway) onNote(`the Redis at ${place} is back`);
    isAway = false;
    ready.resolve();
  });
  const abort = () => ready.reject(signal!.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    redis.connect().catch(() => {}); // told by the events
    await ready.promise;
  } catch (error) {
    closing = true;
    redis.disconnect();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  return {
    redis,
    bull,
    place,
    get isReady() {
      return redis.status === "ready";
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      redis.disconnect();
    },
  };
}

/**
 * Marks a queue as one of this version, where it is new.
 * @throws QueueError when it is of another one
 */
export async function expectVersion({ redis, place }: Connection, name: string): Promise<void> {
  const key = `${prefix}:${name}:version`;
  await redis.set(key, queueVersion, "NX").catch((error: unknown) => {
    throw isFull(error) ? fullError(place, error) : (refusalOf(error, place) ?? error);
  });
  const found = await redis.get(key);
  if (found === queueVersion) return;
  throw new QueueError(
    `the queue "${name}" at ${place} is of version ${JSON.stringify(found)}, this Acutance knows version ${queueVersion}`,
    "use the Acutance that made it, or another queue by --name",
  );
}

/** What the owner of a queue should know of how its Redis is set up, in sentences. */
export async function serverNotes({ redis, place }: Connection): Promise<string[]> {
  const info = await redis.info().catch(() => "");
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, "m").exec(info)?.[1]?.trim();
  const notes: string[] = [];
  if (field("aof_enabled") === "0")
    notes.push(
      `the Redis at ${place} keeps no log of its changes: jobs of its last minutes are lost when it ends at once; set appendonly yes`,
    );
  const policy = field("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction" && field("maxmemory") !== "0")
    notes.push(
      `the Redis at ${place} may throw jobs away when it is full (maxmemory-policy ${policy}); set noeviction`,
    );
  return notes;
}

function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: "nothing listens there",
    ENOTFOUND: "there is no host of this name",
    EAI_AGAIN: "its host's name cannot be looked up",
    ETIMEDOUT: "it does not answer",
    ECONNRESET: "the connection was reset",
  };
  return words[code ?? ""] ?? (message || String(error));
}

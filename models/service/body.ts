import type { Limits } from "./options.ts";
import { Problem } from "./problem.ts";

export interface ReadOptions {
  readonly limits: Limits;
  /** Ends the reading with its reason. */
  readonly signal: AbortSignal;
  /** Told of all bytes that have come. */
  readonly onBytes: (bytes: number) => void;
  /** Told when the whole body was read. */
  readonly onWhole: () => void;
  /** A host had the request first: a body without bytes is one that it has read, unless the request says that it is empty. */
  readonly isHosted: boolean;
}

/**
 * The bytes that a request says its body has; 0 where it does not say.
 * @throws Problem 413 when they are too many
 */
export function announcedBytes(request: Request, maxBodyBytes: number): number {
  const announced = request.headers.get("content-length") ?? "";
  const bytes = /^\d+$/.test(announced) ? Number(announced) : 0;
  if (bytes > maxBodyBytes) throw tooLong(maxBodyBytes);
  return bytes;
}

/** Seconds that a body may take however few bytes come. */
const graceSeconds = 5;

/**
 * The chunks of a request's body, read as they are asked for: while nobody asks, the client has to wait. Its time runs only
 * while it is waited for: t ≤ bodySeconds and t ≤ 5 s + bytes / minBodyRate.
 * @throws Problem 413 when the body is too long, 408 when it comes too slowly, 400 when it breaks off, 500 when it was read
 * before; the signal's reason
 */
export async function* chunksOf(
  request: Request,
  { limits: { maxBodyBytes, bodySeconds, minBodyRate }, signal, onBytes, onWhole, isHosted }: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (request.bodyUsed || request.body?.locked) throw readBefore();
  const reader = request.body?.getReader();
  if (!reader) return onWhole();
  // One for each read: a promise that outlived them would keep all chunks.
  let ended = Promise.withResolvers<never>();
  const abort = () => ended.reject(signal.reason);
  const late = () => {
    const seconds = Math.round(waitedMs / 1000);
    const detail =
      waitedMs < 1000 * bodySeconds
        ? `The body came with less than ${minBodyRate} bytes a second: ${length} bytes in ${seconds} s.`
        : `The body did not arrive within ${bodySeconds} s.`;
    ended.reject(new Problem(408, "slow-body", detail, closing));
  };
  signal.addEventListener("abort", abort);
  let [length, waitedMs] = [0, 0];
  let isWhole = false;
  try {
    for (;;) {
      ended = Promise.withResolvers();
      if (signal.aborted) abort();
      const since = performance.now();
      const allowedMs = 1000 * Math.min(bodySeconds, graceSeconds + length / minBodyRate);
      const timer = setTimeout(
        () => {
          waitedMs = allowedMs;
          late();
        },
        Math.max(0, allowedMs - waitedMs),
      );
      const next = await Promise.race([reader.read().catch(brokenOff), ended.promise]).finally(() =>
        clearTimeout(timer),
      );
      waitedMs += performance.now() - since;
      isWhole = next.done;
      if (next.done && length === 0 && isMissing(request, isHosted)) throw readBefore();
      if (next.done) return onWhole();
      length += next.value.byteLength;
      onBytes(next.value.byteLength);
      if (length > maxBodyBytes) throw tooLong(maxBodyBytes);
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    if (!isWhole) reader.cancel().catch(() => {});
  }
}

/**
 * The whole of a body.
 * @param announced how many bytes it should have, or 0; it may have others
 * @param room waits until so many bytes more may be held
 */
export async function wholeOf(
  chunks: AsyncIterable<Uint8Array>,
  announced: number,
  room: (bytes: number) => Promise<void>,
): Promise<Uint8Array> {
  let bytes = new Uint8Array(0);
  let length = 0;
  for await (const chunk of chunks) {
    const wanted = length + chunk.byteLength;
    if (wanted > bytes.byteLength) {
      // At most twice of what has come, whatever was announced; exactly the announced length once that is near.
      const doubled = Math.max(wanted, 2 * length);
      const larger = new Uint8Array(announced >= wanted ? Math.min(doubled, announced) : doubled);
      await room(larger.byteLength - bytes.byteLength);
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length = wanted;
  }
  return bytes.subarray(0, length);
}

/** Whether a body that came to its end without a byte should have had some. Bun says of a body that was read nothing else. */
function isMissing({ headers, body }: Request, isHosted: boolean): boolean {
  const announced = headers.get("content-length");
  return body !== null && announced !== "0" && (isHosted || Number(announced) > 0);
}

function readBefore(): Problem {
  return new Problem(500, "body-read", "The body was read before it reached the service.", {
    advice: "Where the service is mounted, read a copy of the request: request.clone().",
  });
}

/** The rest of the body is not read, so the connection cannot go on. */
const closing = { headers: { connection: "close" } };

function tooLong(maxBodyBytes: number): Problem {
  return new Problem(413, "body-too-long", `The body has more than ${maxBodyBytes} bytes.`, closing);
}

function brokenOff(cause: unknown): never {
  throw new Problem(400, "broken-body", "The body broke off.", { cause });
}

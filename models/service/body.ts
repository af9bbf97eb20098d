import type { Limits } from "./options.ts";
import { Problem } from "./problem.ts";

export interface ReadOptions {
  readonly limits: Limits;
  /** Ends the reading with its reason. */
  readonly signal: AbortSignal;
  /** Told of all bytes that have come. */
  readonly onBytes: (bytes: number) => void;
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

/**
 * The chunks of a request's body, read as they are asked for: while nobody asks, the client has to wait. Its time runs only
 * while it is waited for.
 * @throws Problem 413 when the body is too long, 408 when it comes too slowly, 400 when it breaks off; the signal's reason
 */
export async function* chunksOf(
  request: Request,
  { limits: { maxBodyBytes, bodySeconds }, signal, onBytes }: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = request.body?.getReader();
  if (!reader) return;
  // One for each read: a promise that outlived them would keep all chunks.
  let ended = Promise.withResolvers<never>();
  const abort = () => ended.reject(signal.reason);
  const late = () => {
    ended.reject(new Problem(408, "slow-body", `The body did not arrive within ${bodySeconds} s.`, closing));
  };
  signal.addEventListener("abort", abort);
  let [length, leftMs] = [0, 1000 * bodySeconds];
  let isWhole = false;
  try {
    for (;;) {
      ended = Promise.withResolvers();
      if (signal.aborted) abort();
      const since = performance.now();
      const timer = setTimeout(late, Math.max(0, leftMs));
      const next = await Promise.race([reader.read().catch(brokenOff), ended.promise]).finally(() =>
        clearTimeout(timer),
      );
      leftMs -= performance.now() - since;
      isWhole = next.done;
      if (next.done) return;
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
  await room(announced);
  // Written in place: a long body is never there twice.
  let bytes = new Uint8Array(announced);
  let length = 0;
  for await (const chunk of chunks) {
    const wanted = length + chunk.byteLength;
    if (wanted > bytes.byteLength) {
      const larger = new Uint8Array(Math.max(wanted, 2 * length));
      await room(larger.byteLength - bytes.byteLength);
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length = wanted;
  }
  return bytes.subarray(0, length);
}

/** The rest of the body is not read, so the connection cannot go on. */
const closing = { headers: { connection: "close" } };

function tooLong(maxBodyBytes: number): Problem {
  return new Problem(413, "body-too-long", `The body has more than ${maxBodyBytes} bytes.`, closing);
}

function brokenOff(cause: unknown): never {
  throw new Problem(400, "broken-body", "The body broke off.", { cause });
}

import { lookup as systemLookup } from "node:dns/promises";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import { deadline } from "./deadline.ts";
import { Problem } from "./problem.ts";
import { isPublicAddress } from "./public-address.ts";

/** How pictures are fetched. */
export interface FetchingOptions {
  /** The addresses of a host name. @default what the system's resolver says */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  /** What is connected to in place of an address that was found to be public, such as a gateway. @default the address itself */
  readonly via?: (address: string, port: number) => { readonly host: string; readonly port: number };
  /** Certificates to trust besides those of the runtime, PEM. */
  readonly ca?: string;
}

export const fetchingNames = { lookup: true, via: true, ca: true } satisfies Record<keyof FetchingOptions, true>;

export interface FetchLimits {
  readonly maxBytes: number;
  /** For name, connection, redirects and body together. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** Told of bytes before they are kept; may refuse them. */
  readonly hold: (bytes: number) => void;
}

/** Redirects that are followed. */
const mostRedirects = 3;

/**
 * Fetches a picture by HTTP. Every host, also of a redirect, is resolved once and all its addresses must be public; what is
 * connected to is the address that was looked at, so that a name cannot mean another one meanwhile. Proxies of the environment
 * are not used.
 * @throws Problem 422 for what must not or cannot be fetched, 413 when it is too long, 415 when it is no picture; the signal's
 * reason
 */
export async function fetchPicture(url: URL, limits: FetchLimits, options: FetchingOptions = {}): Promise<Uint8Array> {
  using time = deadline(limits.signal, limits.seconds);
  try {
    let at = url;
    for (let redirects = 0; ; redirects++) {
      const response = await requested(at, time.signal, options);
      const { statusCode = 0, headers } = response;
      const next = [301, 302, 303, 307, 308].includes(statusCode) ? headers.location : undefined;
      if (next === undefined) return await pictureIn(response, limits, time.signal);
      response.destroy();
      if (redirects === mostRedirects) throw failed(`It is redirected more than ${mostRedirects} times.`);
      if (!URL.canParse(next, at.href)) throw failed("It is redirected to what is no URL.");
      at = new URL(next, at.href);
    }
  } catch (error) {
    limits.signal.throwIfAborted();
    if (time.signal.aborted) throw failed(`It did not come within ${limits.seconds} s.`, error);
    if (error instanceof Problem) throw error;
    throw failed(`It cannot be fetched (${(error as NodeJS.ErrnoException).code ?? "the connection failed"}).`, error);
  }
}

/** The head of the answer. @throws Problem 422 for a URL that must not be fetched; what the connection throws */
async function requested(url: URL, signal: AbortSignal, options: FetchingOptions): Promise<IncomingMessage> {
  if (!["http:", "https:"].includes(url.protocol)) throw refused(`${url.protocol} is neither http: nor https:.`);
  if (url.username || url.password) throw refused("It has a user name or a password.");
  const addresses = await publicAddresses(url, signal, options);
  let failure: unknown;
  for (const address of addresses.slice(0, 3)) {
    try {
      return await connected(url, address, signal, options);
    } catch (error) {
      if (signal.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** @throws Problem 422 when one of them is not public or there is none; the signal's reason */
async function publicAddresses(
  url: URL,
  signal: AbortSignal,
  { lookup = resolved }: FetchingOptions,
): Promise<readonly string[]> {
  const host = bare(url.hostname);
  const gone = Promise.withResolvers<never>();
  const abort = () => gone.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    const addresses = isIP(host) ? [host] : await Promise.race([lookup(host), gone.promise]);
    if (addresses.length === 0) throw failed("Its host has no address.");
    if (addresses.every(isPublicAddress)) return addresses;
  } finally {
    signal.removeEventListener("abort", abort);
    gone.promise.catch(() => {});
  }
  throw refused("Its host has an address that is not public.");
}

async function resolved(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address);
}

/** The answer's head from this address, whatever the name may mean by now. */
function connected(
  url: URL,
  address: string,
  signal: AbortSignal,
  { via, ca }: FetchingOptions,
): Promise<IncomingMessage> {
  const isSecure = url.protocol === "https:";
  const port = Number(url.port) || (isSecure ? 443 : 80);
  const host = bare(url.hostname);
  const request: RequestOptions = {
    ...(via?.(address, port) ?? { host: address, port }),
    path: url.pathname + url.search,
    headers: { host: url.host, accept: "image/*", "accept-encoding": "identity", "user-agent": "acutance" },
    signal,
    // The certificate must be the name's.
    ...(isSecure && !isIP(host) && { servername: host }),
    ...(ca !== undefined && { ca }),
    // An agent of its own, since the runtime's may use a proxy.
    agent: isSecure ? new HttpsAgent({ proxyEnv: {} } as object) : new HttpAgent({ proxyEnv: {} } as object),
  };
  return new Promise((resolve, reject) => {
    const sent = isSecure ? httpsRequest(request, resolve) : httpRequest(request, resolve);
    sent.on("error", reject); // also one that comes when the answer is there already
    sent.end();
  });
}

/** @throws Problem when the answer is none with a picture, or is too long; the signal's reason */
async function pictureIn(
  response: IncomingMessage,
  { maxBytes, hold }: FetchLimits,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { statusCode = 0, headers } = response;
  const abort = () => response.destroy(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (statusCode !== 200) throw failed(`Its server answers with status ${statusCode}.`, { status: statusCode });
    const { "content-type": type = "", "content-encoding": encoding = "identity" } = headers;
    if (!/^(image\/|application\/octet-stream)/i.test(type)) {
      throw new Problem(415, "media-type", `It is ${type || "of no content type"} and no picture.`);
    }
    if (encoding.toLowerCase() !== "identity") throw failed(`It is encoded as ${encoding}, which was not asked for.`);
    if (Number(headers["content-length"]) > maxBytes) throw tooLong(maxBytes);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > maxBytes) throw tooLong(maxBytes);
      hold(chunk.byteLength);
      chunks.push(chunk);
    }
    if (!response.complete) throw failed("It broke off.");
    return Buffer.concat(chunks, length);
  } finally {
    signal.removeEventListener("abort", abort);
    response.destroy();
  }
}

/** A host without the brackets of IPv6. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function refused(why: string): Problem {
  return new Problem(422, "url-refused", `The URL is not fetched: ${why}`, {
    advice: "Send the picture itself, or a URL of http: or https: on a public address.",
  });
}

function failed(why: string, cause?: unknown): Problem {
  return new Problem(422, "url-failed", `The URL could not be fetched: ${why}`, { cause });
}

function tooLong(maxBytes: number): Problem {
  return new Problem(413, "too-many-bytes", `What the URL leads to has more than ${maxBytes} bytes.`);
}

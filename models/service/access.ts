import { isIP } from "node:net";
import { Problem } from "./problem.ts";

/** Who may call a service that asks for no token. */
export interface AccessOptions {
  /**
   * Names by which it may be called, besides those of this machine alone and those of `corsOrigins`; all names unless given.
   * Then web pages of other origins are refused too.
   */
  readonly hosts?: readonly string[];
  /** Origins of web pages that may call it and read its answers, such as `https://example.org`; `*` for all. */
  readonly corsOrigins?: readonly string[];
}

/** @throws RangeError for an origin that is none */
export function checkOrigins(origins: readonly string[]): void {
  for (const origin of origins) {
    if (origin === "*" || origin === "null" || originOf(origin) === origin) continue;
    const meant = originOf(origin);
    throw new RangeError(
      `${JSON.stringify(origin)} is no origin of web pages: ${meant ? `${meant} is` : "https://example.org is one"}`,
    );
  }
}

/**
 * Refuses what a web page of others could send through its visitor's browser: requests by a name that its owner leads here (DNS
 * rebinding), and requests of another origin. Who follows a link may see the page.
 * @throws Problem 403
 */
export function checkAccess({ method, headers }: Request, { hosts, corsOrigins = [] }: AccessOptions): void {
  if (!hosts) return;
  const host = headers.get("host");
  const name = host === null ? undefined : nameOf(host);
  const allowed = [...hosts, ...corsOrigins.map((each) => originOf(each)?.replace(/^[a-z]+:\/\//, "") ?? "")].map(
    nameOf,
  );
  // No browser leaves the host out.
  if (host !== null && !isLoopback(name!) && !allowed.includes(name!)) {
    throw new Problem(403, "foreign-host", `The request is for the host ${JSON.stringify(host)}.`, {
      advice: "Call it as localhost or 127.0.0.1, or start it with --token-file, or with --cors-origin and this host.",
      headers: closing,
    });
  }
  const origin = headers.get("origin");
  const isAllowed = corsOrigins.includes("*") || (origin !== null && corsOrigins.includes(origin));
  const isSame = origin !== null && host !== null && hostOf(originOf(origin)) === hostOf(`http://${host}`);
  const isLink =
    /^(GET|HEAD)$/.test(method) &&
    headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  const isForeign = origin === null ? headers.get("sec-fetch-site") === "cross-site" && !isLink : !isSame;
  if (isForeign && !isAllowed) {
    const who = origin === null ? "of another site" : `of ${JSON.stringify(origin)}`;
    throw new Problem(403, "foreign-origin", `The request is that of a web page ${who}.`, {
      advice: "Start the service with --cors-origin and the origin of the page, where it may call.",
      headers: closing,
    });
  }
}

/** Whether a name or an address always leads to this machine itself. */
export function isLoopback(name: string): boolean {
  return /^(.+\.)?localhost$/.test(name) || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

const closing = { connection: "close" };

/** The name or address in a `Host` header, without port. */
function nameOf(host: string): string {
  return host
    .replace(/:\d*$/, (port) => (isIP(host) === 6 ? port : ""))
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

function originOf(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).host : undefined;
}

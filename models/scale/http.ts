import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What is told of a worker over HTTP. */
export interface Watched {
  readonly ready: boolean;
  readonly metrics: { text(): Promise<{ readonly text: string; readonly type: string }> };
}

export interface WatchOptions {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Longest time for figures that Redis is asked for, milliseconds. */
const patienceMs = 5000;

/**
 * Answers `/metrics` for Prometheus, `/healthz` (the process lives) and `/readyz` (it takes jobs, 503 while it does not). Whoever reaches the
 * port may read them; they hold no name of a picture and no credentials.
 * @throws the system's error when the port is taken
 */
export async function serveMetrics(watched: Watched, { host = "127.0.0.1", port }: WatchOptions) {
  const plain = (response: ServerResponse, status: number, text: string) =>
    void response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (request.method !== "GET" && request.method !== "HEAD") return plain(response, 405, "GET is answered");
    if (pathname === "/healthz") return plain(response, 200, "alive");
    if (pathname === "/readyz")
      return watched.ready ? plain(response, 200, "ready") : plain(response, 503, "not ready");
    if (pathname !== "/metrics") return plain(response, 404, "/metrics, /healthz and /readyz are here");
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, patienceMs, undefined).unref());
    const found = await Promise.race([watched.metrics.text(), late]).catch(() => undefined);
    if (!found) return plain(response, 503, "the figures cannot be had now");
    response.writeHead(200, { "content-type": found.type }).end(found.text);
  });
  server.requestTimeout = 10_000;
  server.listen(port, host);
  await once(server, "listening");
  const { address, port: taken, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

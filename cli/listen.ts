import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "../models/service/index.ts";

/** A service that can be reached. */
export interface Listening {
  readonly url: string;
  /**
   * Takes no more connections, waits until every request that came is answered, and ends what is left of connections: those
   * whose clients do not take their answer some seconds later.
   */
  stop(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Seconds in which a connection must send something, or its next request, while it is not waiting for scores. */
const idleSeconds = 10;
/** Seconds in which clients must have taken the last answers when the service stops. */
const flushSeconds = 3;

/** Puts a service on a port, under Bun by its own server, elsewhere by that of Node. @throws Error when the port is taken */
export function listen(service: Service, options: ListenOptions): Promise<Listening> {
  return process.versions["bun"] ? listenInBun(service, options) : listenInNode(service, options);
}

async function listenInBun(service: Service, { host, port }: ListenOptions): Promise<Listening> {
  const server = Bun.serve({
    hostname: host,
    port,
    idleTimeout: idleSeconds,
    // The service refuses what is too long itself, with a problem document, and reads no further.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, bun) => {
      // The service has its own limits for bodies that come slowly and scores that take long.
      bun.timeout(request, 0);
      return service.answer(request, {
        client: clientOf(bun.requestIP(request)?.address),
        onEnd: () => bun.timeout(request, idleSeconds),
      });
    },
  });
  return {
    url: server.url.href.replace(/\/$/, ""),
    async stop() {
      void server.stop();
      await service.drain();
      for (let left = 100 * flushSeconds; left > 0 && server.pendingRequests > 0; left--) await sleep(10);
      await server.stop(true);
    },
  };
}

async function listenInNode(service: Service, { host, port }: ListenOptions): Promise<Listening> {
  const { createAdaptorServer } = await import("@hono/node-server");
  const { once } = await import("node:events");
  const server = createAdaptorServer({
    fetch: (request, { incoming }) => service.answer(request, { client: clientOf(incoming.socket.remoteAddress) }),
    // The name of requests without one (HTTP/1.0).
    hostname: "localhost",
    serverOptions: {
      headersTimeout: 1000 * idleSeconds,
      keepAliveTimeout: 1000 * idleSeconds,
      connectionsCheckingInterval: 1000,
      // The service's own time for a body runs only while the service waits for it.
      requestTimeout: 0,
    },
  }) as import("node:http").Server;
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address() as import("node:net").AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      await service.drain();
      server.closeIdleConnections();
      const end = setTimeout(() => server.closeAllConnections(), 1000 * flushSeconds);
      await closed;
      clearTimeout(end);
    },
  };
}

/** Who a client is by its address: of IPv6, a household has 2^64 addresses. */
function clientOf(address: string | undefined): string | undefined {
  return address?.includes(":") && !address.includes(".") ? address.split(":").slice(0, 4).join(":") : address;
}

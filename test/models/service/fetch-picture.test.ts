import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type FetchingOptions, type FetchLimits, fetchPicture } from "../../../models/service/fetch-picture.ts";
import { answerSchema, failureSchema, openService, type Service, scoreSchema } from "../../../models/service/index.ts";
import type { Problem } from "../../../models/service/problem.ts";
import { isPublicAddress } from "../../../models/service/public-address.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { certificate, privateKey } from "./certificate.ts";
import { figure, inPieces, post, problem } from "./requests.ts";

/** What the local server answers, by path. */
const answers: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {};
const seen: string[] = [];
let plain: Server;
let secure: Server;
let ports: Record<number, number> = {};
let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
let expected: number[] = [];

const [first, second] = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"];
/** Names as a resolver of the outside would know them. */
const names: Record<string, readonly string[]> = {
  "pictures.example": [first, second],
  "other.example": [first],
  "inside.example": ["192.168.1.7"],
  "both.example": [first, "127.0.0.1"],
  "nowhere.example": [],
};
const connections: [string, number][] = [];
/** All that may be connected to is the local server, whatever port was asked for. */
const outside: FetchingOptions = {
  lookup: async (host) => names[host] ?? Promise.reject(Object.assign(new Error("unknown"), { code: "ENOTFOUND" })),
  via: (address, port) => {
    connections.push([address, port]);
    return { host: "127.0.0.1", port: ports[port] ?? 9 };
  },
  ca: certificate,
};

beforeAll(async () => {
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    seen.push(`${request.headers.host}${request.url}`);
    (answers[request.url!] ?? (() => response.writeHead(404).end("none")))(response, request);
  };
  plain = createServer(answer).listen(0, "127.0.0.1");
  secure = createSecureServer({ key: privateKey, cert: certificate }, answer).listen(0, "127.0.0.1");
  await Promise.all([once(plain, "listening"), once(secure, "listening")]);
  const [http, https] = [plain, secure].map((server) => (server.address() as AddressInfo).port) as [number, number];
  ports = { 80: http, 8080: http, 443: https };
  folder = await mkdtemp(join(tmpdir(), "acutance-urls-"));
  ({ model, pictures, expected } = await knownScores(folder, 4));
  pictures.forEach((bytes, i) => {
    answers[`/${i}.png`] = (response) => response.writeHead(200, { "content-type": "image/png" }).end(bytes);
  });
});

afterAll(async () => {
  for (const server of [plain, secure]) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

function fetched(url: string, limits: Partial<FetchLimits> = {}, options: FetchingOptions = outside) {
  const { signal } = new AbortController();
  const all = { maxBytes: 1e6, seconds: 5, signal, hold: () => {}, ...limits };
  return fetchPicture(new URL(url), all, options);
}

async function failure(promise: Promise<unknown>): Promise<[number, string, string]> {
  const error = (await promise.then(
    () => new Error("it was fetched"),
    (reason) => reason,
  )) as Problem;
  if (!error.document) throw error;
  return [error.status, error.document.code, error.document.detail];
}

describe("an address", () => {
  test.each([
    ...["8.8.8.8", "93.184.215.14", "100.63.255.255", "172.15.0.1", "172.32.0.1"],
    ...["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001:82a::200e"],
  ])("%s is public", (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    ...["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::", "::1"], // this host
    ...["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1", "fec0::1"], // private
    ...["169.254.169.254", "fe80::1", "100.64.0.1", "100.127.255.255"], // link-local, CGNAT
    ...["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "240.0.0.1"], // multicast, broadcast, reserved
    ...["::ffff:8.8.8.8", "::ffff:7f00:1", "::7f00:1", "::ffff:0:8.8.8.8"], // IPv4 in IPv6
    ...["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::"], // NAT64, tunnels
    ...["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "198.18.0.1", "100::1", "5f00::1"],
    ...["localhost", "", "1.2.3", "8.8.8.8.8", "::g"], // none
  ])("%s is not public", (address) => expect(isPublicAddress(address)).toBe(false));

  test("of this machine is not public, whichever it is", () => {
    for (const addresses of Object.values(networkInterfaces())) {
      for (const { address } of addresses ?? []) expect(isPublicAddress(address)).toBe(false);
    }
  });
});

describe("a URL", () => {
  test("is fetched from the address that its name has, by HTTP and HTTPS", async () => {
    connections.length = seen.length = 0;
    expect(Buffer.from(await fetched("http://pictures.example/0.png"))).toEqual(Buffer.from(pictures[0]!));
    expect(Buffer.from(await fetched("http://pictures.example:8080/1.png"))).toEqual(Buffer.from(pictures[1]!));
    expect(Buffer.from(await fetched("https://pictures.example/2.png"))).toEqual(Buffer.from(pictures[2]!));
    expect(Buffer.from(await fetched(`http://${first}/3.png`))).toEqual(Buffer.from(pictures[3]!));
    expect(connections).toEqual([
      [first, 80],
      [first, 8080],
      [first, 443],
      [first, 80],
    ]);
    expect(seen).toEqual([
      "pictures.example/0.png",
      "pictures.example:8080/1.png",
      "pictures.example/2.png",
      `${first}/3.png`,
    ]);
  });

  test("is looked up once: a name that means another address afterwards leads nowhere else", async () => {
    connections.length = 0;
    let asked = 0;
    const lookup = async () => (asked++ === 0 ? [first] : ["127.0.0.1"]);
    await fetched("http://rebinding.example/0.png", {}, { ...outside, lookup });
    expect(asked).toBe(1);
    expect(connections).toEqual([[first, 80]]);
  });

  test("whose first address does not answer is fetched from the next", async () => {
    const tried: string[] = [];
    const via = (address: string) => {
      tried.push(address);
      return { host: "127.0.0.1", port: address === first ? 9 : ports[80]! };
    };
    expect(await fetched("http://pictures.example/0.png", {}, { ...outside, via })).toHaveLength(pictures[0]!.length);
    expect(tried).toEqual([first, second]);
  });

  test.each([
    ...["http://127.0.0.1/0.png", "http://127.1/0.png", "http://2130706433/0.png", "http://0x7f.1/0.png", "http://0/"],
    ...[
      "http://017700000001/0.png",
      "http://[::1]/0.png",
      "http://[::ffff:127.0.0.1]/0.png",
      "http://[64:ff9b::7f00:1]/",
    ],
    ...["http://169.254.169.254/latest/meta-data/", "http://inside.example/0.png", "http://both.example/0.png"],
    ...[
      "ftp://pictures.example/0.png",
      "file:///etc/passwd",
      "data:image/png;base64,AAAA",
      "http://me:pw@pictures.example/0.png",
    ],
  ])("%s is refused without a connection", async (url) => {
    connections.length = seen.length = 0;
    expect((await failure(fetched(url))).slice(0, 2)).toEqual([422, "url-refused"]);
    expect({ connections, seen }).toEqual({ connections: [], seen: [] });
  });

  test("of this machine is refused when the system's resolver is asked", async () => {
    expect((await failure(fetched("http://localhost/0.png", {}, {}))).slice(0, 2)).toEqual([422, "url-refused"]);
  });

  test("is followed through three redirects, each of which is looked at", async () => {
    const to = (location: string) => (response: ServerResponse) =>
      response.writeHead(302, { location }).end("elsewhere");
    Object.assign(answers, {
      "/3": to("https://pictures.example/2"),
      "/2": to("http://other.example/1"),
      "/1": to("/0.png"),
      "/4": to("/3"),
      "/in": to("http://inside.example/0.png"),
      "/literal": to("http://[::ffff:10.0.0.1]/"),
      "/file": to("file:///etc/passwd"),
      "/broken": to("http://"),
    });
    connections.length = 0;
    expect(await fetched("http://pictures.example/3")).toHaveLength(pictures[0]!.length);
    expect(connections.map(([, port]) => port)).toEqual([80, 443, 80, 80]);
    expect(await failure(fetched("http://pictures.example/4"))).toEqual([
      422,
      "url-failed",
      "The URL could not be fetched: It is redirected more than 3 times.",
    ]);
    for (const path of ["/in", "/literal", "/file"]) {
      expect((await failure(fetched(`http://pictures.example${path}`))).slice(0, 2)).toEqual([422, "url-refused"]);
    }
    expect((await failure(fetched("http://pictures.example/broken")))[1]).toBe("url-failed");
  });

  test("must lead to a picture of bounded size, in time", async () => {
    const image = { "content-type": "image/png" };
    let dripping: ReturnType<typeof setInterval> | undefined;
    Object.assign(answers, {
      "/page": (r: ServerResponse) => r.writeHead(200, { "content-type": "text/html" }).end("<html>"),
      "/untyped": (r: ServerResponse) => r.writeHead(200).end("x"),
      "/announced": (r: ServerResponse) =>
        r.writeHead(200, { ...image, "content-length": 5000 }).end(Buffer.alloc(5000)),
      "/endless": (r: ServerResponse) => {
        r.writeHead(200, image);
        const more = () => void (r.destroyed || r.write(Buffer.alloc(500), () => setTimeout(more, 1)));
        more();
      },
      "/gzip": (r: ServerResponse) =>
        r.writeHead(200, { ...image, "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(5000))),
      "/cut": (r: ServerResponse) => {
        r.writeHead(200, { ...image, "content-length": 900 });
        r.write(Buffer.alloc(400), () => setTimeout(() => r.destroy(), 20));
      },
      "/drips": (r: ServerResponse) => {
        r.writeHead(200, image);
        dripping = setInterval(() => r.write("x"), 20);
      },
      "/silent": () => {},
    });
    const limits = { maxBytes: 1000, seconds: 0.3 };
    for (const [path, status, code] of [
      ["/page", 415, "media-type"],
      ["/untyped", 415, "media-type"],
      ["/announced", 413, "too-many-bytes"],
      ["/endless", 413, "too-many-bytes"],
      ["/gzip", 422, "url-failed"],
      ["/cut", 422, "url-failed"],
      ["/drips", 422, "url-failed"],
      ["/silent", 422, "url-failed"],
      ["/absent", 422, "url-failed"],
    ] as const) {
      const found = await failure(fetched(`http://pictures.example${path}`, limits));
      expect({ path, status: found[0], code: found[1] }).toEqual({ path, status, code });
    }
    clearInterval(dripping);
    for (const [name, words] of [
      ["nowhere.example", "no address"],
      ["unknown.example", "ENOTFOUND"],
    ]) {
      expect((await failure(fetched(`http://${name}/0.png`)))[2]).toContain(words!);
    }
    const never: FetchingOptions = { ...outside, lookup: () => new Promise(() => {}) };
    expect((await failure(fetched("http://slow.example/", { seconds: 0.1 }, never)))[2]).toContain("within 0.1 s");
  });

  test("by HTTPS needs a certificate of the name, which is trusted", async () => {
    expect((await failure(fetched("https://other.example/0.png")))[1]).toBe("url-failed");
    const { ca: _, ...untrusting } = outside;
    expect((await failure(fetched("https://pictures.example/0.png", {}, untrusting)))[1]).toBe("url-failed");
  });

  test("that nobody wants any more ends with the signal's reason", async () => {
    const stop = new AbortController();
    const promise = fetched("http://pictures.example/silent", { signal: stop.signal });
    setTimeout(() => stop.abort(new Error("enough")), 30);
    await expect(promise).rejects.toThrow("enough");
  });

  test("is not sent to a proxy of the environment", async () => {
    const trapped: string[] = [];
    const trap = createServer((request, response) => {
      trapped.push(request.url!);
      response.end();
    }).listen(0, "127.0.0.1");
    trap.on("connect", (request, socket) => {
      trapped.push(request.url!);
      socket.destroy();
    });
    await once(trap, "listening");
    const module = new URL("../../../models/service/fetch-picture.ts", import.meta.url).href;
    const path = join(folder, "fetch.ts");
    await writeFile(
      path,
      `import { fetchPicture } from ${JSON.stringify(module)};
      const limits = { maxBytes: 1e6, seconds: 5, signal: new AbortController().signal, hold() {} };
      const options = { lookup: async () => [${JSON.stringify(first)}], via: () => ({ host: "127.0.0.1", port: ${ports[80]} }) };
      console.log((await fetchPicture(new URL("http://pictures.example/0.png"), limits, options)).length);`,
    );
    const proxy = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
    const env = { ...process.env, HTTP_PROXY: proxy, http_proxy: proxy, HTTPS_PROXY: proxy, NODE_USE_ENV_PROXY: "1" };
    Object.assign(env, { DENO_NO_UPDATE_CHECK: "1" });
    const isDeno = "Deno" in globalThis;
    const words = isDeno ? ["run", "--allow-all", "--no-check", "--node-modules-dir=manual", path] : [path];
    const child = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    await once(child, "close");
    expect({ length: Number(output), trapped }).toEqual({ length: pictures[0]!.length, trapped: [] });
    trap.close();
  });
});

describe("a service", () => {
  const json = (body: unknown, path = "/v1/score") =>
    post(path, JSON.stringify(body), { "content-type": "application/json" });
  const at = (path: string) => `http://pictures.example/${path}`;

  async function open(urls: boolean | FetchingOptions, limits = {}): Promise<Service> {
    return openService({ models: [{ model, device: await sharedDevice() }], urls, limits });
  }

  test("fetches nothing unless told", async () => {
    await using closed = await openService({ models: [{ model, device: await sharedDevice() }] });
    const response = await closed.fetch(json({ url: at("0.png") }));
    expect(response.headers.get("accept-post")).not.toContain("json");
    expect(await problem(response)).toMatchObject({ status: 415, code: "media-type" });
  });

  test("scores one by its URL, several with those that fail as rows, and a line each as they come", async () => {
    await using own = await open(outside);
    const one = answerSchema.parse(await (await own.fetch(json({ url: at("2.png") }))).json());
    expect(one.pictures).toMatchObject([{ index: 0, name: at("2.png"), score: expected[2] }]);
    expect(await problem(await own.fetch(json({ url: at("absent") })))).toMatchObject({
      status: 422,
      code: "url-failed",
    });
    expect(await problem(await own.fetch(json({ url: "http://10.0.0.1/" })))).toMatchObject({ code: "url-refused" });

    const urls = [at("0.png"), "http://inside.example/", at("page"), at("3.png")];
    const many = answerSchema.parse(await (await own.fetch(json({ urls }))).json());
    expect(many.pictures.map((row) => ("score" in row ? row.score : row.error.code))).toEqual([
      expected[0]!,
      "url-refused",
      "media-type",
      expected[3]!,
    ]);

    const gate = Promise.withResolvers<Uint8Array>();
    const line = (url: string) => new TextEncoder().encode(`${JSON.stringify({ url })}\n`);
    const { body } = inPieces([line(at("1.png")), line(at("2.png")), gate.promise]);
    const streamed = await own.fetch(post("/v1/score/stream", body, { "content-type": "application/x-ndjson" }));
    const reader = streamed.body!.getReader();
    const firstLine = new TextDecoder().decode((await reader.read()).value).split("\n")[0]!;
    expect(scoreSchema.parse(JSON.parse(firstLine)).score).toBe(expected[1]!);
    gate.resolve(new TextEncoder().encode('{"url": 7}'));
    let rest = "";
    for (let next = await reader.read(); !next.done; next = await reader.read())
      rest += new TextDecoder().decode(next.value);
    const last = failureSchema.parse(JSON.parse(rest.trim().split("\n").at(-1)!));
    expect(last).toMatchObject({ index: 2, name: "(body)", error: { status: 422, code: "not-urls" } });
    expect(await figure(own, "acutance_held_bytes")).toBe(0);
    expect(await figure(own, "acutance_queue_pictures")).toBe(0);
  });

  test("says what is wrong with a body that names no pictures", async () => {
    await using own = await open(outside, { maxPictures: 2 });
    for (const [body, status, code] of [
      ["{", 422, "not-json"],
      ["{}", 422, "not-urls"],
      ['{"url": "/etc/passwd"}', 422, "not-urls"],
      ['{"url": "ftp://pictures.example/0.png"}', 422, "not-urls"],
      ['{"urls": []}', 422, "not-urls"],
      [JSON.stringify({ urls: [at("0.png"), at("1.png"), at("2.png")] }), 413, "too-many-pictures"],
      [`{"url": "${at("x".repeat(2 ** 20))}"}`, 413, "body-too-long"],
    ] as const) {
      const response = await own.fetch(post("/v1/score", body, { "content-type": "application/json" }));
      expect(await problem(response)).toMatchObject({ status, code });
    }
  });

  test("holds what it fetches to the same bounds", async () => {
    await using own = await open(outside, { maxBodyBytes: 1000 });
    answers["/long"] = (r) => r.writeHead(200, { "content-type": "image/png" }).end(Buffer.alloc(2000));
    const answer = await problem(await own.fetch(json({ url: at("long") })));
    expect(answer).toMatchObject({ status: 413, code: "too-many-bytes" });
    expect(await figure(own, "acutance_held_bytes")).toBe(0);
  });
});

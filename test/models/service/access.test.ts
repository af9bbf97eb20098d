import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openService, type Service, type ServiceOptions } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { get, post, problem } from "./requests.ts";

let folder = "";
let model = "";
let picture = new Uint8Array(0);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-access-"));
  const known = await knownScores(folder, 1);
  [model, picture] = [known.model, known.pictures[0]!];
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const open = async (options: Partial<ServiceOptions>): Promise<Service> =>
  openService({ models: [{ model, device: await sharedDevice() }], ...options });

const code = async (response: Response) => (response.ok ? response.status : (await problem(response)).code);

test("only the names of this machine and those that were given are answered, where names count", async () => {
  await using service = await open({
    hosts: ["Photos.lan", "10.0.0.7", "::2"],
    corsOrigins: ["https://scores.example:8443"],
  });
  const cases: [host: string | undefined, answer: string | number][] = [
    ["localhost", 200],
    ["LOCALHOST:8080", 200],
    ["localhost.:8080", 200],
    ["app.localhost", 200],
    ["127.0.0.1:8080", 200],
    ["127.1.2.3", 200],
    ["[::1]:8080", 200],
    ["photos.lan:80", 200],
    ["10.0.0.7", 200],
    ["[::2]:1", 200],
    ["scores.example:8443", 200],
    ["scores.example", 200],
    [undefined, 200],
    ["evil.example", "foreign-host"],
    ["evil.example:8080", "foreign-host"],
    ["localhost.evil.example", "foreign-host"],
    ["127.0.0.1.evil.example", "foreign-host"],
    ["notlocalhost", "foreign-host"],
    ["128.0.0.1", "foreign-host"],
    ["0.0.0.0", "foreign-host"],
    ["[::3]", "foreign-host"],
    ["localhost, evil.example", "foreign-host"],
    ["", "foreign-host"],
  ];
  for (const [host, answer] of cases) {
    const request = get("/health", host === undefined ? {} : { host });
    expect([host, await code(await service.fetch(request))]).toEqual([host, answer]);
  }
  const refused = await service.fetch(
    post("/v1/score", picture, { host: "evil.example", "content-type": "image/png" }),
  );
  expect(refused.status).toBe(403);
  expect(refused.headers.get("connection")).toBe("close");
  await using embedded = await open({});
  expect((await embedded.fetch(get("/health", { host: "evil.example", origin: "https://evil.example" }))).status).toBe(
    200,
  );
});

test("web pages of other origins are refused unless they may call; links to the page are followed", async () => {
  await using service = await open({ hosts: [], corsOrigins: ["https://scores.example"] });
  const host = "127.0.0.1:8080";
  const cases: [headers: Record<string, string>, answer: string | number][] = [
    [{}, 200],
    [{ origin: "http://127.0.0.1:8080" }, 200],
    [{ origin: "http://127.0.0.1:8080", "sec-fetch-site": "same-origin" }, 200],
    [{ origin: "https://scores.example", "sec-fetch-site": "cross-site" }, 200],
    [{ "sec-fetch-site": "none" }, 200],
    [{ origin: "http://127.0.0.1:3000", "sec-fetch-site": "same-site" }, "foreign-origin"],
    [{ origin: "http://localhost:8080" }, "foreign-origin"],
    [{ origin: "https://evil.example", "sec-fetch-site": "cross-site" }, "foreign-origin"],
    [{ origin: "https://scores.example.evil" }, "foreign-origin"],
    [{ origin: "null" }, "foreign-origin"],
    [{ origin: "nonsense" }, "foreign-origin"],
    [{ "sec-fetch-site": "cross-site" }, "foreign-origin"],
  ];
  for (const [headers, answer] of cases) {
    const request = post("/v1/score", picture, { host, "content-type": "image/png", ...headers });
    expect([headers, await code(await service.fetch(request))]).toEqual([headers, answer]);
  }
  const link = { host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  expect((await service.fetch(get("/", link))).status).toBe(200);
  expect((await service.fetch(get("/", { ...link, "sec-fetch-dest": "iframe" }))).status).toBe(403);
});

test("pages that may call ask before they do, also with a token, and read the answers", async () => {
  await using service = await open({ token: "open sesame", corsOrigins: ["https://scores.example"] });
  const origin = "https://scores.example";
  const asking = { "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
  const preflight = (from: string) =>
    service.fetch(
      new Request("http://localhost/v1/score", { method: "OPTIONS", headers: { origin: from, ...asking } }),
    );
  const allowed = await preflight(origin);
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get("access-control-allow-origin")).toBe(origin);
  expect(allowed.headers.get("access-control-allow-methods")).toContain("POST");
  expect(allowed.headers.get("access-control-allow-headers")).toContain("authorization");
  expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
  const headers = { origin, "content-type": "image/png", authorization: "Bearer open sesame" };
  const scored = await service.fetch(post("/v1/score", picture, headers));
  expect(scored.status).toBe(200);
  expect(scored.headers.get("access-control-allow-origin")).toBe(origin);
  expect(scored.headers.get("access-control-expose-headers")).toContain("x-request-id");
  const stranger = await service.fetch(post("/v1/score", picture, { origin, "content-type": "image/png" }));
  expect([stranger.status, stranger.headers.get("access-control-allow-origin")]).toEqual([401, origin]);
  // A refusal is read by the page as well.
  const refused = await service.fetch(post("/v1/score?model=none", picture, headers));
  expect(refused.status).toBe(404);
  expect(refused.headers.get("access-control-allow-origin")).toBe(origin);
});

test("origins that are none are refused at the start, with what was meant", async () => {
  for (const [origin, meant] of [
    ["https://example.org/", "https://example.org is"],
    ["https://Example.org/page", "https://example.org is"],
    ["example.org", "is no origin"],
  ] as const) {
    await expect(open({ corsOrigins: [origin] })).rejects.toThrow(meant);
  }
});

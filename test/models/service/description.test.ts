import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Hono } from "hono";
import sharp from "sharp";
import { openScorer } from "../../../models/scoring/scorer.ts";
import {
  answerSchema,
  type LogEntry,
  modelsSchema,
  openService,
  type Service,
  type ServiceOptions,
} from "../../../models/service/index.ts";
import { Metrics } from "../../../models/service/metrics.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores, smallModel } from "../scoring/fixtures.ts";
import { form, get, post } from "./requests.ts";

let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
let expected: number[] = [];
const log: LogEntry[] = [];
let service: Service;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-description-"));
  ({ model, pictures, expected } = await knownScores(folder, 3));
  service = await open({ log: (entry) => log.push(entry) });
  await service.fetch(post("/v1/score", pictures[0]!));
  await service.fetch(post("/v1/score", "only words"));
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(options: Partial<ServiceOptions> = {}): Promise<Service> {
  return openService({ models: [{ model, device: await sharedDevice() }], ...options });
}

type OpenApi = { paths: Record<string, { post?: { responses: object } }> };

describe("what it says of itself", () => {
  test("its OpenAPI document is valid and names every route", async () => {
    const document = (await (await service.fetch(get("/openapi.json"))).json()) as OpenApi;
    const result = await new Validator().validate(document);
    expect(result).toMatchObject({ valid: true });
    expect(Object.keys(document.paths).sort()).toEqual(
      [
        "/health",
        "/metrics",
        "/ready",
        "/v1/explain",
        "/v1/group",
        "/v1/models",
        "/v1/rank",
        "/v1/score",
        "/v1/score/stream",
      ].sort(),
    );
    const { responses } = document.paths["/v1/score"]!.post!;
    expect(Object.keys(responses)).toEqual([
      "200",
      "400",
      "401",
      "403",
      "404",
      "408",
      "413",
      "415",
      "422",
      "429",
      "500",
      "503",
    ]);
  });

  test("its models, its health, its metrics", async () => {
    const { models } = modelsSchema.parse(await (await service.fetch(get("/v1/models"))).json());
    const shown = { resize: 36, crop: 32, cropFrom: "resized", crops: 1, tiles: 0 };
    expect(models).toMatchObject([{ name: "small", ...shown, levels: 20, ready: true }]);
    expect(await (await service.fetch(get("/health"))).json()).toEqual({ status: "ok" });
    const response = await service.fetch(get("/metrics"));
    expect(response.headers.get("content-type")).toContain("text/plain");
    const text = await response.text();
    for (const name of [
      'acutance_requests_total{route="/v1/score",status="200"}',
      'acutance_requests_total{route="/openapi.json",status="200"}',
      'acutance_request_seconds_bucket{le="0.1",route="/v1/score"}',
      'acutance_pictures_total{outcome="scored"}',
      'acutance_pictures_total{outcome="not-a-picture"}',
      'acutance_batch_size_bucket{le="32",model="small"}',
      'acutance_gpu_seconds_total{model="small"}',
      'acutance_ready{model="small"} 1',
      "acutance_queue_pictures 0",
      "acutance_held_bytes 0",
      "process_resident_memory_bytes",
    ]) {
      expect(text).toContain(name);
    }
  });

  test("how its models see pictures, by tiles where they are asked to", async () => {
    const device = await sharedDevice();
    const crops = await smallModel(folder, "crops", { testCrops: 3, cropFrom: "original" });
    const models = [
      { model, device, tiles: 6 },
      { model: crops, device },
      { model: crops, device, name: "covered", tiles: 4 },
    ];
    await using own = await open({ models });
    const told = modelsSchema.parse(await (await own.fetch(get("/v1/models"))).json()).models;
    expect(told.map(({ name, cropFrom, crops, tiles }) => ({ name, cropFrom, crops, tiles }))).toEqual([
      { name: "small", cropFrom: "resized", crops: 1, tiles: 6 },
      { name: "crops", cropFrom: "original", crops: 3, tiles: 0 },
      { name: "covered", cropFrom: "original", crops: 1, tiles: 4 },
    ]);
    const large = new Uint8Array(await sharp(pictures[0]).resize(150, 90).png().toBuffer());
    const { pictures: rows } = answerSchema.parse(await (await own.fetch(post("/v1/score", large))).json());
    await using tiled = await openScorer({ model, device, tiles: 6 });
    await using whole = await openScorer({ model, device });
    const { score } = await tiled.score(large);
    expect(rows).toMatchObject([{ score }]);
    expect((await whole.score(large)).score).not.toBe(score);
  });

  test("how long a client should wait: by all parts of a picture, as measured of late", () => {
    const metrics = new Metrics({ queue: () => 0, heldBytes: () => 0, ready: () => ({}) });
    expect(metrics.secondsAPicture).toBe(0);
    const score = (pictures: number, parts: number, milliseconds: number) => {
      for (let i = 0; i < pictures * parts; i += 32) metrics.batch("tiled", { size: 32, milliseconds });
      for (let i = 0; i < pictures; i++) metrics.picture("scored");
      metrics.picture("damaged");
    };
    score(10, 64, 500);
    expect(metrics.secondsAPicture).toBeCloseTo(1, 10);
    for (let i = 0; i < 40; i++) score(32, 1, 3200);
    expect(metrics.secondsAPicture).toBeCloseTo(0.1, 2);
  });

  test("its log has a line for each request and no name of a picture", async () => {
    const response = await service.fetch(form(pictures.slice(0, 2)));
    const entry = log.at(-1)!;
    expect(entry).toMatchObject({ level: "info", event: "request", method: "POST", route: "/v1/score", pictures: 2 });
    expect(entry["id"]).toBe(response.headers.get("x-request-id")!);
    const words = new TextEncoder().encode("only words");
    await service.fetch(form([pictures[0]!, words, pictures[1]!.subarray(0, 300)]));
    await (await service.fetch(form([words], "/v1/score/stream"))).text();
    await sleep(5); // a stream is told of when its last line has been taken
    expect(log.filter(({ failed }) => Number(failed) > 0).length).toBeGreaterThan(2);
    expect(JSON.stringify(log)).not.toMatch(/\.image|words/);
  });

  test("it can be mounted in another application", async () => {
    const host = new Hono().get("/", (context) => context.text("the host's own")).mount("/quality", service.fetch);
    expect(await (await host.request("/")).text()).toBe("the host's own");
    const response = await host.request("/quality/v1/score", {
      method: "POST",
      body: pictures[1]!,
      headers: { "content-type": "image/jpeg" },
    });
    expect(answerSchema.parse(await response.json()).pictures[0]).toMatchObject({ score: expected[1] });
  });

  test("a service without a model, with two of one name, an empty token or limits that mean nothing is not opened", async () => {
    const device = await sharedDevice();
    await expect(open({ models: [] })).rejects.toThrow("at least one model");
    const twice = [
      { model, device },
      { model, device },
    ];
    await expect(open({ models: twice })).rejects.toThrow('two models are called "small"');
    await expect(open({ token: "" })).rejects.toThrow("the token is empty");
    // More milliseconds than a timer can be set to.
    for (const limits of [{ scoreSeconds: 1e7 }, { bodySeconds: 0 }, { maxQueue: 0.5 }]) {
      await expect(open({ limits })).rejects.toThrow(Object.keys(limits)[0]!);
    }
  });
});

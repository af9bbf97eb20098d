import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import {
  answerSchema,
  failureSchema,
  type LogEntry,
  mapSchema,
  openService,
  readySchema,
  type Service,
  type ServiceOptions,
  scoreSchema,
} from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { badPictures, devices, giants, knownScores } from "../scoring/fixtures.ts";
import { figure, form, get, held, inPieces, post, problem, promptly } from "./requests.ts";

let folder = "";
let model = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
/** The pictures' scores by the library, each alone. */
let expected: number[] = [];
let service: Service;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-service-"));
  ({ model, pictures, expected } = await knownScores(folder, 12));
  service = await open();
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(options: Partial<ServiceOptions> = {}): Promise<Service> {
  return openService({ models: [{ model, device: await sharedDevice() }], ...options });
}

describe("pictures", () => {
  test("one as the body, several as a form, a line each in a stream: the scores of the library", async () => {
    const raw = answerSchema.parse(await (await service.fetch(post("/v1/score", pictures[0]!))).json());
    expect(raw).toMatchObject({ model: "small", range: [0, 100], pictures: [{ index: 0, score: expected[0] }] });
    const response = await service.fetch(form(pictures));
    expect(response.status).toBe(200);
    const answer = answerSchema.parse(await response.json());
    expect(answer.pictures.map((row) => [row.index, row.name, "score" in row && row.score])).toEqual(
      expected.map((score, i) => [i, `${i}.image`, score]),
    );
    const stream = form(pictures);
    const streamed = await service.fetch(new Request("http://localhost/v1/score/stream?model=small", stream));
    expect(streamed.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = (await streamed.text()).trimEnd().split("\n");
    expect(lines.map((line) => scoreSchema.parse(JSON.parse(line)).score)).toEqual(expected);
  });

  test("that are bad: a status each alone, rows with problems among others", async () => {
    const status: Record<string, number> = {
      empty: 422,
      "not-a-picture": 415,
      truncated: 422,
      damaged: 422,
      "too-large": 413,
      unsupported: 415,
    };
    const bad = Object.entries(await badPictures());
    for (const [what, { bytes, reason }] of bad) {
      const response = await service.fetch(post("/v1/score", bytes as Uint8Array<ArrayBuffer>));
      expect({ what, status: response.status }).toEqual({ what, status: status[reason]! });
      expect((await problem(response)).code).toBe(reason);
    }
    const files = [pictures[3]!, ...bad.map(([, { bytes }]) => bytes as Uint8Array<ArrayBuffer>), pictures[4]!];
    const answer = answerSchema.parse(await (await service.fetch(form(files))).json());
    const [first, ...rest] = answer.pictures;
    expect(first).toMatchObject({ score: expected[3] });
    expect(rest.pop()).toMatchObject({ score: expected[4] });
    expect(rest.map((row) => failureSchema.parse(row).error.code)).toEqual(bad.map(([, { reason }]) => reason));
  });

  test("animated, 16-bit and CMYK ones are scored", async () => {
    const source = sharp(pictures[0]);
    const raw = { width: 40, height: 80, channels: 3, pageHeight: 40 } as const;
    const files = [
      await sharp(Buffer.alloc(40 * 80 * 3, 90), { raw })
        .gif({ loop: 0, delay: [9, 9] })
        .toBuffer(),
      await source.clone().toColourspace("rgb16").png().toBuffer(),
      await source.clone().toColourspace("cmyk").jpeg().toBuffer(),
    ];
    const answer = answerSchema.parse(
      await (await service.fetch(form(files.map((file) => new Uint8Array(file))))).json(),
    );
    for (const row of answer.pictures) expect(row).toHaveProperty("score");
  });

  test("of 32 requests at the same time: every answer is that of its own picture", async () => {
    const answers = await Promise.all(
      Array.from({ length: 32 }, async (_, i) => {
        const response = await service.fetch(post("/v1/score", pictures[(i * 5) % 12]!));
        const [row] = answerSchema.parse(await response.json()).pictures;
        return "score" in row! && row.score;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 32 }, (_, i) => expected[(i * 5) % 12]!));
  });

  test("are explained as a map and as a drawing", async () => {
    const big = new Uint8Array(await sharp(pictures[0]).resize(96, 64).png().toBuffer());
    const map = mapSchema.parse(await (await service.fetch(post("/v1/explain?tiles=6", big))).json());
    expect(map.scores).toHaveLength(map.rows);
    expect(map.rows * map.columns).toBeLessThanOrEqual(6);
    const drawn = await service.fetch(post("/v1/explain?format=png", big));
    expect(drawn.headers.get("content-type")).toBe("image/png");
    expect(await sharp(await drawn.arrayBuffer()).metadata()).toMatchObject({ format: "png", width: 96, height: 64 });
    expect((await problem(await service.fetch(post("/v1/explain?tiles=0", big)))).status).toBe(422);
  });
});

describe("what is refused", () => {
  test("by kind: media types, forms, models, routes", async () => {
    const text = new FormData();
    text.append("note", "hello");
    const broken = { "content-type": "multipart/form-data; boundary=x" };
    const cases: [Request, number, string][] = [
      [post("/v1/score", "{}", { "content-type": "application/json" }), 415, "media-type"],
      [post("/v1/score", pictures[0]!, { "content-type": "text/plain" }), 415, "media-type"],
      [post("/v1/explain", new FormData(), {}), 415, "media-type"],
      [form([]), 422, "no-picture"],
      [new Request("http://localhost/v1/score", { method: "POST", body: text }), 422, "not-a-file"],
      [post("/v1/score", "no form", broken), 400, "broken-form"],
      [post("/v1/score?model=other", pictures[0]!), 404, "no-model"],
      [get("/v2"), 404, "no-route"],
      [get("/v1/score"), 405, "method"],
    ];
    for (const [request, status, code] of cases) {
      const document = await problem(await service.fetch(request));
      expect({ url: request.url, status: document.status, code: document.code }).toEqual({
        url: request.url,
        status,
        code,
      });
    }
  });

  test("by size: bodies that say so, bodies that do not, pictures, pixels", async () => {
    await using strict = await open({ limits: { maxBodyBytes: 20_000, maxPictures: 2, maxPixels: 40 * 44 - 1 } });
    const long = new Uint8Array(20_001);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(9_000)) });
    const announced = (bytes: number) => ({ "content-type": "image/png", "content-length": String(bytes) });
    const codes = [
      await strict.fetch(post("/v1/score", long, announced(20_001))),
      await strict.fetch(post("/v1/score", new ReadableStream({}), announced(2 ** 50))),
      await strict.fetch(post("/v1/score", endless)),
      await strict.fetch(form(pictures.slice(0, 3))),
      await strict.fetch(post("/v1/score", pictures[0]!)),
    ].map(async (response) => [response.status, (await problem(response)).code]);
    expect(await Promise.all(codes)).toEqual([
      [413, "body-too-long"],
      [413, "body-too-long"],
      [413, "body-too-long"],
      [413, "too-many-pictures"],
      [413, "too-large"],
    ]);
  });

  test("by the pixels that its header says, before any is decoded, whatever the kind", async () => {
    for (const [kind, bytes] of Object.entries(await giants())) {
      const answer = await problem(await service.fetch(post("/v1/score", new Uint8Array(bytes))));
      // Whoever decoded it would find that the rest is missing.
      expect({ kind, status: answer.status, code: answer.code }).toEqual({ kind, status: 413, code: "too-large" });
    }
  });

  test("but not for a length that is no number: what comes is what counts", async () => {
    for (const length of ["-5", "many"]) {
      const headers = { "content-type": "image/png", "content-length": length };
      expect((await service.fetch(post("/v1/score", pictures[0]!, headers))).status).toBe(200);
    }
    expect(await figure(service, "acutance_held_bytes")).toBe(0);
  });

  test("by time: a body that does not come, scores that take too long", async () => {
    await using hasty = await open({ limits: { bodySeconds: 0.1 } });
    const slow = await hasty.fetch(post("/v1/score", new ReadableStream({})));
    expect(slow.headers.get("connection")).toBe("close");
    expect(await problem(slow)).toMatchObject({ status: 408, code: "slow-body" });
    expect((await hasty.fetch(post("/v1/score", pictures[0]!))).status).toBe(200);
    await using impatient = await open({ limits: { scoreSeconds: 0.001 } });
    const late = await impatient.fetch(form(pictures));
    expect(late.headers.get("retry-after")).toBeTruthy();
    expect(await problem(late)).toMatchObject({ status: 503, code: "timeout" });
  });

  test("429 while the queue or the memory for bodies is full, and not afterwards", async () => {
    await using narrow = await open({ limits: { maxQueue: 3, maxHeldBytes: 8000, maxBodyBytes: 100_000 } });
    const whole = pictures[0]!;
    expect(whole.length + pictures[2]!.length).toBeGreaterThan(8100);
    const headers = { "content-type": "image/png", "content-length": String(whole.length) };
    const come = ({ gate }: { gate: PromiseWithResolvers<Uint8Array> }) => gate.resolve(whole.subarray(-50));
    const { waiting, second, gate } = await promptly(
      900,
      async () => {
        const gate = Promise.withResolvers<Uint8Array>();
        const slow = inPieces([whole.subarray(0, -50), gate.promise]);
        const waiting = narrow.fetch(post("/v1/score", slow.body, headers));
        await sleep(10);
        return { waiting, gate, second: await narrow.fetch(post("/v1/score", pictures[2]!)) };
      },
      // Its body would be held for ever.
      async (slow) => {
        come(slow);
        await slow.waiting;
      },
    );
    expect(await problem(second)).toMatchObject({ status: 429, code: "queue-full" });
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    come({ gate });
    expect((await waiting).status).toBe(200);
    // More pictures than places: those of one request wait for each other.
    expect((await narrow.fetch(form(pictures.slice(0, 12)))).status).toBe(200);
    expect((await narrow.fetch(post("/v1/explain", pictures[0]!))).status).toBe(200);
    expect(await (await narrow.fetch(get("/metrics"))).text()).toContain("acutance_held_bytes 0");
  });

  test("whoever has not the token, on all routes but four", async () => {
    await using closed = await open({ token: "open sesame" });
    for (const headers of [{}, { authorization: "Bearer open" }, { authorization: "Basic open sesame" }]) {
      for (const path of ["/v1/models", "/metrics", "/v2"]) {
        const response = await closed.fetch(get(path, headers as Record<string, string>));
        expect(response.headers.get("www-authenticate")).toBe("Bearer");
        expect(await problem(response)).toMatchObject({ status: 401, code: "token" });
      }
    }
    for (const path of ["/", "/health", "/ready", "/openapi.json"])
      expect((await closed.fetch(get(path))).status).toBe(200);
    const authorization = "Bearer open sesame";
    expect((await closed.fetch(get("/v1/models", { authorization }))).status).toBe(200);
    const scored = await closed.fetch(post("/v1/score", pictures[0]!, { "content-type": "image/png", authorization }));
    expect(scored.status).toBe(200);
  });
});

describe("a lost device", () => {
  test("under load: all are answered, with the right scores, and the service is ready again", async () => {
    const source = devices();
    await using own = await open({ models: [{ model, device: source.open, batch: 4 }] });
    await own.fetch(post("/v1/score", pictures[0]!));
    const requests = Array.from({ length: 32 }, (_, i) => own.fetch(post("/v1/score", pictures[i % 12]!)));
    await requests[5];
    source.lose();
    const statuses = await Promise.all(
      requests.map(async (request, i) => {
        const response = await request;
        if (response.status !== 200) return response.status;
        const [row] = answerSchema.parse(await response.json()).pictures;
        expect(row).toMatchObject({ score: expected[i % 12] });
        return 200;
      }),
    );
    expect(statuses).toEqual(Array(32).fill(200));
    expect((await own.fetch(get("/ready"))).status).toBe(200);
    expect(await (await own.fetch(get("/metrics"))).text()).toContain('acutance_device_losses_total{model="small"} 1');
  });

  test("that cannot be replaced: 503 with Retry-After, not ready; ready once it can", async () => {
    const source = devices();
    let refuse = false;
    const device = async () => {
      if (refuse) throw new Error("no adapter today");
      return source.open();
    };
    const entries: LogEntry[] = [];
    await using own = await open({ models: [{ model, device }], log: (entry) => entries.push(entry) });
    refuse = true;
    source.lose();
    const responses = await Promise.all(pictures.map((picture) => own.fetch(post("/v1/score", picture))));
    for (const response of responses) {
      expect(response.headers.get("retry-after")).toBeTruthy();
      expect(await problem(response)).toMatchObject({ status: 503, code: "device" });
    }
    const ready = await own.fetch(get("/ready"));
    expect(ready.status).toBe(503);
    expect(readySchema.parse(await ready.json())).toEqual({ ready: false, draining: false, models: { small: false } });
    expect(entries.some(({ event, level }) => event === "device-lost" && level === "error")).toBe(true);
    refuse = false;
    // Nobody sends pictures: being asked is enough.
    for (let i = 0; i < 500 && (await own.fetch(get("/ready"))).status !== 200; i++) await sleep(10);
    expect((await own.fetch(get("/ready"))).status).toBe(200);
    expect((await own.fetch(post("/v1/score", pictures[0]!))).status).toBe(200);
  });
});

test("whatever is thrown by the host's own code is a failure of the request, and the service can be closed", async () => {
  const failures: LogEntry[] = [];
  const onBatch = () => {
    throw "no Error at all";
  };
  const own = await open({
    models: [{ model, device: await sharedDevice(), onBatch }],
    log: (entry) => void (entry.event === "failure" && failures.push(entry)),
  });
  for (const path of ["/v1/score", "/v1/explain"]) {
    expect(await problem(await own.fetch(post(path, pictures[0]!)))).toMatchObject({ status: 500, code: "internal" });
  }
  expect(failures).toMatchObject([{ message: "no Error at all" }, { message: "no Error at all" }]);
  await own.close();
  expect(own.active).toBe(0);
});

test("draining answers what was accepted and refuses what comes", async () => {
  const own = await open();
  const last = held(pictures[2]!);
  const accepted = [...pictures.map((picture) => post("/v1/score", picture)), post("/v1/score", last.body)];
  const streamed = form(pictures);
  const answers = [...accepted, new Request("http://localhost/v1/score/stream", streamed)].map((request) =>
    own.fetch(request),
  );
  const closing = own.close();
  const refused = await own.fetch(post("/v1/score", pictures[0]!));
  expect(refused.headers.get("connection")).toBe("close");
  expect(await problem(refused)).toMatchObject({ status: 503, code: "closing" });
  expect(readySchema.parse(await (await own.fetch(get("/ready"))).json())).toMatchObject({
    ready: false,
    draining: true,
  });
  last.release();
  const texts = await Promise.all(answers.map(async (answer) => [(await answer).status, await (await answer).text()]));
  expect(texts.map(([status]) => status)).toEqual(Array(14).fill(200));
  expect((texts.at(-1)![1] as string).trimEnd().split("\n")).toHaveLength(12);
  await closing;
  expect(own.active).toBe(0);
});

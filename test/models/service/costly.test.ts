import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openService, type Service } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { noisePictures, smallModel } from "../scoring/fixtures.ts";
import { costlyPictures, manyScans } from "./costly.ts";

let service: Service;
let folder: string;
let good: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-costly-"));
  const model = await smallModel(folder);
  service = await openService({ models: [{ model, device: await sharedDevice() }] });
  [good = new Uint8Array()] = await noisePictures(1);
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

function send(bytes: Uint8Array, client: string): Promise<Response> {
  const headers = { "content-type": "application/octet-stream" };
  const request = new Request("http://localhost/v1/score", { method: "POST", body: new Uint8Array(bytes), headers });
  return service.answer(request, { client });
}

describe("pictures that cost out of proportion", () => {
  for (const [name, status, code] of [
    ["PNG 50,000,000 x 1, 16 bits, RGBA", 413, "too-large"],
    ["PNG 12,000,000 x 1", 413, "too-large"],
    ["JPEG of 800 scans", 422, "too-costly"],
    ["SVG, gzip", 415, undefined],
  ] as const) {
    test(`${name}: refused, and a good one is scored meanwhile`, async () => {
      const bytes = await costlyPictures[name]!();
      const bad = Array.from({ length: 8 }, () => send(bytes, "bad"));
      expect((await send(good, "good")).status).toBe(200);
      for (const response of await Promise.all(bad)) {
        const problem = (await response.json()) as { status: number; code: string };
        expect(problem).toMatchObject({ status, ...(code && { code }) });
      }
    });
  }

  test("a JPEG of as many scans as encoders make is scored", async () => {
    expect((await send(await manyScans(12, 1_504), "good")).status).toBe(200);
  });
});

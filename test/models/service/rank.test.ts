import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { demoScenes } from "../../../models/demo.ts";
import { openService, rankingSchema, type Service } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { problem } from "./requests.ts";

let folder = "";
let service: Service;
/** One scene as it is, softened, brightened and noisy, as JPEG files. */
let burst: Record<string, Uint8Array<ArrayBuffer>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-rank-"));
  const { model } = await knownScores(folder, 1);
  service = await openService({ models: [{ model, device: await sharedDevice() }] });
  const [scene] = await demoScenes({ side: 240, perPhotograph: 1 });
  const picture = () => sharp(scene!.bytes, { raw: { width: 240, height: 240, channels: 3 } });
  const jpeg = async (made: Sharp) => new Uint8Array(await made.jpeg({ quality: 92 }).toBuffer());
  burst = {
    "soft.jpg": await jpeg(picture().blur(2.5)),
    "clean.jpg": await jpeg(picture()),
    "bright.jpg": await jpeg(picture().linear(2.2, 30)),
  };
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

function sent(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>, query = ""): Promise<Response> {
  const body = new FormData();
  for (const [name, bytes] of Object.entries(files)) body.append("file", new Blob([bytes]), name);
  return service.fetch(new Request(`http://localhost/v1/rank${query}`, { method: "POST", body }));
}

const words = new TextEncoder().encode("words");

test("a burst comes in order, with reasons and scores; what is no picture comes last", async () => {
  const response = await sent({ "broken.jpg": words, ...burst });
  expect(response.status).toBe(200);
  const { pictures } = rankingSchema.parse(await response.json());
  const found = pictures.map((row) => ("rank" in row ? [row.rank, row.index, row.name, row.reason] : row.error.code));
  expect(found[0]).toEqual([1, 2, "clean.jpg", undefined]);
  expect(found.slice(1, 3)).toEqual([
    [2, 1, "soft.jpg", "softer"],
    [3, 3, "bright.jpg", "overexposed"],
  ]);
  expect(found[3]).toBe("not-a-picture");
  for (const row of pictures) if ("rank" in row) expect(row.score).toBeNumber();
});

test("the same file twice is said to be, and the order sent does not matter", async () => {
  const names = Object.keys(burst);
  const order = async (sequence: readonly string[]) => {
    const files = Object.fromEntries([...sequence.map((name) => [name, burst[name]!]), ["z.jpg", burst["clean.jpg"]!]]);
    const { pictures } = rankingSchema.parse(await (await sent(files)).json());
    return pictures.map((row) => ("rank" in row ? [row.name, row.reason ?? ""] : []));
  };
  const found = await order(names);
  expect(found).toEqual(await order(names.toReversed()));
  expect(found.slice(0, 2)).toEqual([
    ["clean.jpg", ""],
    ["z.jpg", "same-file"],
  ]);
});

test("a picture alone is the first; without any there is no order", async () => {
  const { pictures } = rankingSchema.parse(await (await sent({ "a.jpg": burst["clean.jpg"]! })).json());
  expect(pictures).toMatchObject([{ rank: 1, words: "alone" }]);
  const none = await sent({ "a.jpg": words, "b.jpg": words });
  expect(none.status).toBe(422);
  expect((await problem(none)).code).toBe("no-picture");
  expect((await sent({}, "?model=other")).status).toBe(404);
  const raw = new Request("http://localhost/v1/rank", { method: "POST", body: words });
  expect((await service.fetch(raw)).status).toBe(415);
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { cullPictures, type SeenPicture, seePicture } from "../../../models/culling/index.ts";
import { keptLook, keptLookSchema, seenOf } from "../../../models/culling/kept-look.ts";
import { answerSchema, openService, type Service } from "../../../models/service/index.ts";
import { groupingSchema } from "../../../models/service/schemas.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { bursts } from "./bursts.ts";
import { post, problem } from "./requests.ts";

let folder = "";
let model = "";
let service: Service;
let pictures: Awaited<ReturnType<typeof bursts>> = [];
let seen: SeenPicture[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-group-"));
  ({ model } = await knownScores(folder, 1));
  service = await openService({ models: [{ model, device: await sharedDevice() }] });
  pictures = await bursts();
  seen = await Promise.all(pictures.map(({ name, bytes }) => seePicture(bytes, { name })));
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

const json = { "content-type": "application/json" };
const group = (document: object) => service.fetch(post("/v1/group", JSON.stringify(document), json));
const asked = () => seen.map((one) => ({ name: one.name, look: keptLook(one) }));

test("what is kept of a picture is the picture again, also of the smallest and of one without detail", async () => {
  const odd = await Promise.all(
    [1, 40].map(async (side) => {
      const white = sharp({ create: { width: side, height: side, channels: 3, background: "white" } });
      return seePicture(await white.png().toBuffer(), { name: `white-${side}` });
    }),
  );
  for (const one of [...seen, ...odd]) {
    const kept = keptLookSchema.parse(JSON.parse(JSON.stringify(keptLook(one))));
    expect(seenOf(kept, one.name)).toEqual(one);
  }
});

test("scores come with what groups pictures, in one answer or in lines; the groups are those of cullPictures", async () => {
  const form = () => {
    const body = new FormData();
    for (const { name, bytes } of pictures) body.append("file", new Blob([bytes]), name);
    return body;
  };
  const send = (path: string) =>
    service.fetch(new Request(`http://localhost${path}`, { method: "POST", body: form() }));
  const { pictures: rows } = answerSchema.parse(await (await send("/v1/score?look=1")).json());
  const lines = (await (await send("/v1/score/stream?look=1")).text()).trim().split("\n");
  const plain = answerSchema.parse(await (await send("/v1/score")).json());
  expect(plain.pictures.every((row) => !("look" in row))).toBe(true);
  const looks = rows.map((row) => ("look" in row ? row.look : undefined));
  expect(lines.map((line) => JSON.parse(line).look)).toEqual(looks);
  expect(looks).toEqual(seen.map(keptLook));
  const scored = rows.map((row) => {
    if ("error" in row) throw new Error(row.error.detail);
    const { score, range, interval } = row;
    return { score, range, ...(interval && { interval }) };
  });
  const response = await group({
    pictures: rows.map(({ name }, i) => ({ name, look: looks[i], scored: scored[i] })),
    keep: 2,
  });
  expect(response.status).toBe(200);
  const answer = groupingSchema.parse(await response.json());
  const expected = cullPictures(
    seen.map((one, i) => ({ ...one, scored: scored[i]! })),
    { keep: 2 },
  );
  expect(answer.pictures).toEqual(expected.map((one) => ({ ...one })));
  const sizes = Map.groupBy(answer.pictures, (row) => row.group);
  expect([...sizes.values()].map(({ length }) => length).sort()).toEqual([1, 2, 3]);
});

test("without scores the order is by what is seen; options are those of culling", async () => {
  const answer = groupingSchema.parse(await (await group({ pictures: asked() })).json());
  expect(answer.pictures).toEqual(cullPictures(seen).map((one) => ({ ...one })));
  const apart = groupingSchema.parse(await (await group({ pictures: asked(), similarity: 1 })).json());
  expect(Math.max(...apart.pictures.map((row) => row.groupSize))).toBeLessThan(3);
});

test.each([
  ["no JSON", "{", "not-json"],
  ["nothing", JSON.stringify({ pictures: [] }), "document"],
  ["a look of another version", JSON.stringify({ pictures: [{ name: "a", look: { version: 99 } }] }), "document"],
  ["options that mean nothing", JSON.stringify({ pictures: [{ name: "a" }], similarity: 2 }), "document"],
])("%s is refused", async (_, body, code) => {
  const response = await service.fetch(post("/v1/group", body, json));
  expect(response.status).toBe(422);
  expect((await problem(response)).code).toBe(code);
});

test("a picture in the place of JSON, and a body that is too long", async () => {
  expect((await service.fetch(post("/v1/group", pictures[0]!.bytes))).status).toBe(415);
  await using small = await openService({
    models: [{ model, device: await sharedDevice() }],
    limits: { maxBodyBytes: 1000 },
  });

  expect((await small.fetch(post("/v1/group", JSON.stringify({ pictures: asked() }), json))).status).toBe(413);
});

test("hundreds of pictures that look alike hold nobody up", async () => {
  const [one] = asked();
  const many = Array.from({ length: 600 }, (_, i) => ({
    ...one!,
    name: `${i}`,
    look: { ...one!.look, at: 10_000 * i },
  }));
  let longest = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const answer = groupingSchema.parse(await (await group({ pictures: many })).json());
  clearInterval(watch);
  expect(answer.pictures[0]!.groupSize).toBe(600);
  // Reading and checking the document is in one piece.
  expect(longest).toBeLessThan(1500);
});

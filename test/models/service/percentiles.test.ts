import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModel, saveModel } from "../../../models/networks/model.ts";
import { answerSchema, openService, type Service } from "../../../models/service/index.ts";
import { referenceOf, referencePercentile } from "../../../models/trust/reference.ts";
import { sharedDevice } from "../../engine/device.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { problem } from "./requests.ts";

let folder = "";
let pictures: Uint8Array<ArrayBuffer>[] = [];
let expected: number[] = [];
let service: Service;
const facts = referenceOf(
  Array.from({ length: 101 }, (_, i) => i),
  "made scores",
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-percentiles-"));
  const known = await knownScores(folder, 4);
  ({ pictures, expected } = known);
  const device = await sharedDevice();
  const { model, card } = await openModel(device, known.model);
  const path = join(folder, "referenced.safetensors");
  await saveModel(path, model, card, "f32", { reference: { facts, tensors: new Map() } as never });
  model.dispose();
  service = await openService({
    models: [
      { model: known.model, device },
      { model: path, device },
    ],
  });
});

afterAll(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

/** The same picture twice, a broken one among them. */
function sent(query: string): Request {
  const body = new FormData();
  const all = [pictures[0]!, new TextEncoder().encode("words"), pictures[1]!, pictures[2]!, pictures[1]!];
  all.forEach((bytes, i) => {
    body.append("file", new Blob([bytes]), `${i}`);
  });
  return new Request(`http://localhost/v1/score?${query}`, { method: "POST", body });
}

test("places among the scores of the request, by mid-rank; a picture without a score has none", async () => {
  const answer = answerSchema.parse(await (await service.fetch(sent("percentiles=1"))).json());
  const scores = [expected[0]!, expected[1]!, expected[2]!, expected[1]!];
  const place = (score: number) =>
    (100 * (scores.filter((one) => one < score).length + scores.filter((one) => one === score).length / 2)) / 4;
  const places = answer.pictures.map((row) => ("score" in row ? row.percentile : "failed"));
  expect(places).toEqual([
    place(expected[0]!),
    "failed",
    place(expected[1]!),
    place(expected[2]!),
    place(expected[1]!),
  ]);
  expect(answer.pictures.some((row) => "referencePercentile" in row)).toBe(false);
});

test("places in the reference that a model carries", async () => {
  const response = await service.fetch(sent("percentiles=1&model=referenced"));
  const { pictures: rows } = answerSchema.parse(await response.json());
  const places = rows.flatMap((row) => ("score" in row ? [row.referencePercentile] : []));
  const scores = [expected[0]!, expected[1]!, expected[2]!, expected[1]!];
  expect(places).toEqual(scores.map((score) => referencePercentile(score, facts)));
});

test("none unless asked for, and a word that means nothing is refused", async () => {
  const text = await (await service.fetch(sent("percentiles=0"))).text();
  expect(text).not.toContain("ercentile");
  const refused = await service.fetch(sent("percentiles=yes"));
  expect(refused.status).toBe(422);
  expect(JSON.stringify(await problem(refused))).toContain("percentiles");
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { openService, type ServiceOptions } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { devices, noisePictures, smallModel } from "../scoring/fixtures.ts";
import { fuzzService, loseUnderLoad, slowBodies } from "./faults.ts";

/** Mutated files that are sent; 1000 for a thorough run. */
const mutated = Number(process.env["ACUTANCE_MUTATED_PICTURES"] ?? 96);

let folder = "";
let model = "";
let good = { bytes: new Uint8Array(), score: 0 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-faults-"));
  model = await smallModel(folder);
  const [bytes] = await noisePictures(1);
  await using scorer = await openScorer({ model, device: await sharedDevice() });
  good = { bytes: new Uint8Array(bytes!), score: (await scorer.score(bytes!)).score };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const open = async (options: Partial<ServiceOptions> = {}) =>
  openService({ models: [{ model, device: await sharedDevice() }], ...options });

test(`${mutated} mutated files are scored or refused as pictures, and whole ones are scored between them`, async () => {
  const failures: unknown[] = [];
  await using service = await open({
    limits: { maxPixels: 2_000_000 },
    log: (entry) => void (entry.level === "error" && failures.push(entry)),
  });
  const { scored, refused, slowestMs } = await fuzzService(service, mutated, good);
  expect(failures).toEqual([]);
  expect(scored + Object.values(refused).reduce((sum, count) => sum + count, 0)).toBe(mutated);
  // Some mutations leave a picture and some do not; a service that says the same to all looks at none.
  expect(scored).toBeGreaterThan(0);
  expect(Object.keys(refused).length).toBeGreaterThan(1);
  expect(slowestMs).toBeLessThan(30_000);
}, 300_000);

test("32 bodies that come drop by drop are ended with 408 and hold up nobody", async () => {
  await using service = await open({ limits: { bodySeconds: 0.5 } });
  expect(await slowBodies(service, 32, good)).toEqual(Array(32).fill(408));
  const metrics = await (await service.fetch(new Request("http://localhost/metrics"))).text();
  expect(metrics).toContain("acutance_queue_pictures 0");
  expect(metrics).toContain("acutance_held_bytes 0");
});

test("a device destroyed under load: every request is answered, the service scores again", async () => {
  const source = devices();
  await using service = await open({ models: [{ model, device: source.open, batch: 4 }] });
  const { statuses, readyMs } = await loseUnderLoad(service, good, source.lose);
  expect(statuses).toHaveLength(64);
  expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);
  expect(source.opened).toHaveLength(2);
  expect(readyMs).toBeLessThan(5000);
});

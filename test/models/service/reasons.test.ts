import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen } from "../../../cli/listen.ts";
import { answerSchema, openService, scoreSchema } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { settledFile } from "../reasons/made-head.ts";
import { chromiumPath } from "../report/chromium.ts";
import { smallModel } from "../scoring/fixtures.ts";
import { cards, done, drop, openVisits } from "./page-visits.ts";
import { realPictures } from "./real-pictures.ts";
import { form } from "./requests.ts";

let folder = "";
let model = "";
let reasons = "";
let pictures: Awaited<ReturnType<typeof realPictures>> = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-reasons-"));
  model = await smallModel(folder);
  reasons = await settledFile(join(folder, "reasons.safetensors"), { "motion-blur": 1, dark: 0.4 }, 1);
  pictures = await realPictures(2);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const open = async () => openService({ models: [{ model, device: await sharedDevice(), reasons }], hosts: [] });

test("answers and lines have the reasons that the library gives", async () => {
  await using service = await open();
  const bodies = pictures.map(({ bytes }) => bytes as Uint8Array<ArrayBuffer>);
  const answer = answerSchema.parse(await (await service.fetch(form(bodies))).json());
  const told = answer.pictures.map((row) => "reasons" in row && row.reasons?.map(({ reason }) => reason));
  expect(told).toEqual(pictures.map(() => ["motion-blur", "dark"]));
  const lines = (await (await service.fetch(form(bodies, "/v1/score/stream"))).text()).trimEnd().split("\n");
  for (const line of lines) expect(scoreSchema.parse(JSON.parse(line)).reasons).toHaveLength(2);
});

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  test("a card has them in words below the score, the closer look with probabilities, CSV in a column", async () => {
    await using service = await open();
    const listening = await listen(service, { host: "127.0.0.1", port: 0 });
    const visits = await openVisits();
    try {
      const page = await visits.visit(listening.url);
      await drop(page, pictures);
      await done(page, 2);
      await cards(page, 2, ".card[data-stage='scored']");
      expect(await page.locator(".card .reasons").allTextContents()).toEqual(Array(2).fill("motion blur, dark"));
      expect(await page.locator(".card").first().getAttribute("aria-label")).toContain(
        "most likely lowered by motion blur, dark",
      );
      await page.locator(".card").first().click();
      await page.getByText("motion blur (probability 65 %), dark (probability 35 %)").waitFor();
      expect(visits.complaints).toEqual([]);
    } finally {
      await visits.browser.close();
      await listening.stop();
    }
  });
});

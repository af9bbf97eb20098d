import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { type Listening, listen } from "../../../cli/listen.ts";
import { writeCompanions } from "../../../models/networks/companions.ts";
import { QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { modelOptions } from "../../../models/networks/options.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import {
  type Arrival,
  answerSchema,
  openService,
  type Service,
  type ServiceOptions,
} from "../../../models/service/index.ts";
import { fitTypicality } from "../../../models/trust/typicality.ts";
import { sharedDevice } from "../../engine/device.ts";
import { chromiumPath } from "../report/chromium.ts";
import { noisePictures, smallModel } from "../scoring/fixtures.ts";
import { unphotographed } from "../trust/unphotographed.ts";
import { cards, done, drop, names, openVisits, type Visits } from "./page-visits.ts";
import { realPictures } from "./real-pictures.ts";
import { drawnPictures } from "./scenes.ts";

/** Where screenshots are put when it is set; none are made otherwise. */
const screenshots = process.env["ACUTANCE_SCREENSHOTS"];

let folder = "";
let model = "";
let pictures: Awaited<ReturnType<typeof realPictures>> = [];
let service: Service;
let listening: Listening;

const open = async (options: Partial<ServiceOptions> = {}) =>
  openService({ models: [{ model, device: await sharedDevice() }], ...options });

// Without a browser the page is not looked at: the tests below show up as skipped.
describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let page: Page;
  let visits: Visits;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-page-"));
    model = await smallModel(folder);
    pictures = await realPictures(20);
    service = await open();
    listening = await listen(service, { host: "127.0.0.1", port: 0 });
    visits = await openVisits();
  });

  afterAll(async () => {
    await visits?.browser.close();
    await listening?.stop();
    await service?.close();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    page = await visits.visit(listening.url);
    // Bursts have tests of their own.
    await page.evaluate("document.getElementById('group-bursts').click()");
  });

  afterEach(async () => {
    const { strange, complaints } = visits;
    expect({ strange, complaints }).toEqual({ strange: [], complaints: [] });
    await page.close();
  });

  const firstIs = (name: string) => page.locator(".card").first().filter({ hasText: name }).waitFor();

  /** What the API says of the pictures. */
  async function answers() {
    const form = new FormData();
    for (const { name, bytes } of pictures) form.append("pictures", new File([bytes], name));
    const response = await fetch(`${listening.url}/v1/score`, { method: "POST", body: form });
    return answerSchema.parse(await response.json()).pictures.map((row) => {
      if ("error" in row) throw new Error(row.error.detail);
      return row;
    });
  }

  async function saved(button: string) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
    return readFile(await file.path(), "utf8");
  }

  test("20 dropped pictures are sorted by score; CSV and JSON are what the API says", async () => {
    await drop(page, pictures);
    await done(page, 20);
    const rows = await answers();
    const best = rows.toSorted((a, b) => b.score - a.score || a.index - b.index);
    expect(await names(page)).toEqual(best.map(({ name }) => name));
    expect(await page.locator(".card .score").allTextContents()).toEqual(best.map(({ score }) => score.toFixed(1)));
    const label = await page.locator(".card").first().getAttribute("aria-label");
    expect(label).toContain(`${best[0]!.name}: score ${best[0]!.score.toFixed(1)}, spread`);
    const csv = best.map((row) =>
      [row.name, row.score, row.standardDeviation, row.confidence, row.width, row.height, row.model, ""].join(","),
    );
    const heads = "name,score,standardDeviation,confidence,width,height,model,error";
    expect(await saved("#csv")).toBe(`${[heads, ...csv].join("\r\n")}\r\n`);
    const json = answerSchema.parse(JSON.parse(await saved("#json")));
    const plain = ({ milliseconds, index, ...row }: (typeof rows)[number]) => row;
    expect(json.pictures.map((row) => plain(row as (typeof rows)[number]))).toEqual(best.map(plain));
    await page.selectOption("#order", "worst");
    await firstIs(best.at(-1)!.name);
    await page.selectOption("#order", "name");
    const collator = new Intl.Collator("en", { numeric: true });
    const byName = rows.map(({ name }) => name).toSorted(collator.compare);
    await firstIs(byName[0]!);
    expect(await names(page)).toEqual(byName);
  });

  test("a bar of the histogram shows its pictures; all bars together are all pictures", async () => {
    await drop(page, pictures);
    await done(page, 20);
    const bars = await page.locator("#histogram button").evaluateAll((all) => all.map((bar) => bar.ariaLabel ?? ""));
    const counts = bars.map((words) => Number(/: (\d+) /.exec(words)![1]));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
    const scores = (await answers()).map(({ score }) => score);
    for (const [i, words] of bars.entries()) {
      const [from, to] = words.split(":")[0]!.split(" to ").map(Number) as [number, number];
      expect(scores.filter((score) => score >= from && score < to)).toHaveLength(counts[i]!);
    }
    const fullest = counts.indexOf(Math.max(...counts));
    await page.locator("#histogram button").nth(fullest).click();
    await cards(page, counts[fullest]!);
    await page.click("#show-all");
    await cards(page, 20);
  });

  test("a model with intervals: the page shows them instead of a confidence, and what is unlike photographs", async () => {
    const device = await sharedDevice();
    const features: Float32Array[] = [];
    {
      await using scorer = await openScorer({ model, device, features: true });
      for (const picture of await noisePictures(60)) features.push((await scorer.score(picture)).feature!);
    }
    const { facts, tensors } = fitTypicality(features);
    // The higher the score, the wider.
    const interval = { level: 0.9, pictures: 20, at: [0, 100], below: [13, 33], above: [12, 32] };
    const path = join(folder, "trusted.safetensors");
    await writeCompanions(model, path, { trust: { facts: { interval, typicality: facts }, tensors } });
    await using other = await openService({ models: [{ model: path, device }] });
    const there = await listen(other, { host: "127.0.0.1", port: 0 });
    const shown = await visits.visit(there.url);
    const photograph = (await noisePictures(31))[30];
    const chart = await unphotographed("chart", 0);
    await drop(shown, [
      { name: "noise.png", bytes: photograph! },
      { name: "chart.png", bytes: chart },
    ]);
    await done(shown, 2);
    const words = async (name: string) => {
      const card = shown.locator(".card", { hasText: name });
      return [await card.locator(".score").textContent(), await card.locator(".aside").textContent()];
    };
    const [score, aside] = await words("noise.png");
    expect(score).toMatch(/^\d+ \(\d+ to \d+\)$/);
    expect(aside).toBe("");
    expect((await words("chart.png"))[1]).toBe("unlike known photographs");
    await shown.selectOption("#order", "best");
    const [best, worst] = await names(shown);
    for (const [order, first] of [
      ["sure", worst],
      ["unsure", best],
    ] as const) {
      await shown.selectOption("#order", order);
      await shown.locator(".card").first().filter({ hasText: first! }).waitFor();
    }
    if (screenshots) await shown.screenshot({ path: join(screenshots, "trusted.png") });
    await shown.close();
    await there.stop();
  });

  test.each(["score", "classes"] as const)("a model with the head %s: the page shows what it gives", async (head) => {
    const device = await sharedDevice();
    const options = modelOptions({ stages: 1, embedding: 16, resize: 36, crop: 32, head });
    const network = new QualityNetwork(device, options);
    const path = join(folder, `${head}.safetensors`);
    await saveModel(path, network, { options, range: [0, 100], history: ["drawn weights"], fresh: [] });
    network.dispose();
    await using other = await openService({ models: [{ model: path, device }] });
    const there = await listen(other, { host: "127.0.0.1", port: 0 });
    const shown = await visits.visit(there.url);
    await drop(shown, pictures.slice(0, 3));
    await done(shown, 3);
    const first = shown.locator(".card").first();
    const told = head === "classes";
    expect(/^± .* · class \d, \d+ % sure$/.test((await first.locator(".aside").textContent()) ?? "")).toBe(told);
    expect(/spread .*, confidence .*, class \d$/.test((await first.getAttribute("aria-label")) ?? "")).toBe(told);
    expect(await shown.locator("#spread").isVisible()).toBe(told);
    await first.click();
    await shown.locator("#detail .big").waitFor();
    expect(await shown.locator("#detail .distribution rect").count()).toBe(told ? 5 : 0);
    for (const part of ["main", "#detail"])
      expect(await shown.locator(part).textContent()).not.toMatch(/NaN|undefined/);
    await shown.click("#detail-close");
    const [file] = await Promise.all([shown.waitForEvent("download"), shown.click("#csv")]);
    const [heads] = (await readFile(await file.path(), "utf8")).split("\r\n");
    const classes = told ? "class,classProbability," : "";
    expect(heads).toBe(`name,score,standardDeviation,confidence,${classes}width,height,model,error`);
    await shown.close();
    await there.stop();
  });

  test("with the keyboard: from card to card, two chosen, compared, one looked at with its heat map", async () => {
    await drop(page, pictures);
    await done(page, 20);
    const order = await names(page);
    const focused = () => page.evaluate<string>("document.activeElement.querySelector('.name').textContent");
    await page.locator(".card[tabindex='0']").focus();
    expect(await page.locator(".card[tabindex='0']").count()).toBe(1);
    await page.keyboard.press("Home");
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowRight");
    expect(await focused()).toBe(order[1]!);
    await page.keyboard.press("End");
    expect(await focused()).toBe(order[19]!);
    await page.keyboard.press("Space");
    await cards(page, 2, ".card[aria-selected=true]");
    await page.click("#open-compare");
    expect(await page.locator("#compare h3").allTextContents()).toEqual([order[0]!, order[19]!]);
    expect(await page.locator("#compare-words").textContent()).toStartWith(`${order[0]!} scores `);
    await page.locator("#compare .viewer").first().focus();
    await page.keyboard.press("+");
    const places = await page
      .locator("#compare .stage")
      .evaluateAll((all) => all.map((stage) => stage.getAttribute("style")));
    expect(places[0]).toContain("scale(1.5)");
    expect(places[1]).toBe(places[0]!);
    await page.keyboard.press("Escape");

    await page.locator(".card").nth(1).focus();
    await page.keyboard.press("Enter");
    await page.locator("#detail-name", { hasText: order[1]! }).waitFor();
    await page.locator("#heat").check();
    await page.locator("#heat-legend").waitFor();
    const file = pictures.find(({ name }) => name === order[1])!;
    const headers = { "content-type": "image/jpeg" };
    const explained = await fetch(`${listening.url}/v1/explain`, { method: "POST", body: file.bytes, headers });
    const { scores, rows, columns } = (await explained.json()) as { scores: number[][]; rows: number; columns: number };
    expect(await page.locator("#heat-note").textContent()).toStartWith(`${rows * columns} parts`);
    expect(await page.locator("#heat-low").textContent()).toBe(Math.min(...scores.flat()).toFixed(1));
    const [colours, shape, pictureShape] = await page.evaluate<[number, number, number]>(`(() => {
      const [canvas, image] = document.querySelectorAll("#detail canvas, #detail img").values().toArray().reverse();
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const shape = canvas.width / canvas.height;
      return [new Set(new Uint32Array(data.buffer)).size, shape, image.naturalWidth / image.naturalHeight];
    })()`);
    expect(colours).toBeGreaterThan(20);
    expect(shape).toBeCloseTo(pictureShape, 1);
    await page.keyboard.press("Escape");
    expect(await focused()).toBe(order[1]!);
  });

  test("what is no picture says why, in words, and stops nothing", async () => {
    const broken = { name: 'notes, "old".jpg', bytes: new TextEncoder().encode("only words") };
    const cut = { name: "cut.jpg", bytes: pictures[0]!.bytes.subarray(0, 3000) };
    await drop(page, [broken, ...pictures.slice(0, 2), cut]);
    await page.getByText("2 pictures scored, 2 without a score").waitFor();
    const bad = page.locator(".card[data-stage=failed]");
    expect(await bad.count()).toBe(2);
    expect(await bad.first().locator(".aside").textContent()).not.toBe("");
    expect(await saved("#csv")).toContain('"notes, ""old"".jpg",,,,,,,');
    await page.click("#clear");
    await page.locator("#grid").waitFor({ state: "hidden" });
  });

  test("1,000 pictures: all are scored, and few of them are drawn before they are looked at", async () => {
    const bytes = await sharp(pictures[0]!.bytes).resize(64).jpeg().toBuffer();
    await drop(
      page,
      Array.from({ length: 1000 }, (_, i) => ({ name: `${i}.jpg`, bytes })),
    );
    await done(page, 1000, 100_000);
    expect(await page.locator(".card").count()).toBe(1000);
    expect(await page.locator(".card canvas").count()).toBeLessThan(200);
    await page.locator(".card[tabindex='0']").focus();
    await page.keyboard.press("End");
    await page.locator(".card").last().locator("canvas").waitFor();
  }, 150_000);

  test("pictures for which a full service has no room wait and are sent again", async () => {
    // Two requests at a time cannot both be held.
    await using full = await open({ limits: { maxHeldBytes: 120_000 } });
    let refusals = 0;
    const counted = async (request: Request, arrival?: Arrival) => {
      const response = await full.answer(request, arrival);
      if (response.status === 429) refusals++;
      if (response.headers.get("content-type") !== "application/x-ndjson") return response;
      const text = await response.text();
      if (text.includes('"status":429')) refusals++;
      return new Response(text, response);
    };
    const at = await listen({ answer: counted, limits: full.limits, drain: () => full.drain() } as Service, {
      host: "127.0.0.1",
      port: 0,
    });
    const visited = await visits.visit(at.url);
    await drop(visited, [...pictures, ...pictures]);
    await done(visited, 40);
    expect(refusals).toBeGreaterThan(0);
    const others = visits.complaints.filter((text) => !text.includes("429"));
    expect(others).toEqual([]);
    visits.complaints.length = 0;
    await visited.context().close();
    await at.stop();
  }, 60_000);

  test("a service with a token asks for it, again when it was wrong", async () => {
    await using guarded = await open({ token: "open sesame" });
    const at = await listen(guarded, { host: "127.0.0.1", port: 0 });
    const visited = await visits.visit(at.url);
    for (const token of ["wrong", "open sesame"]) {
      await visited.locator("#token-dialog[open]").waitFor();
      await visited.fill("#token", token);
      await visited.keyboard.press("Enter");
    }
    await visited.locator("#about-model", { hasText: "small" }).waitFor();
    await drop(visited, pictures.slice(0, 2));
    await done(visited, 2);
    // Chromium itself says on the console that a request was answered with 401.
    expect(visits.complaints.every((text) => text.includes("401"))).toBe(true);
    visits.complaints.length = 0;
    await visited.context().close();
    await at.stop();
  });

  test.skipIf(process.env["ACUTANCE_SCREENSHOT"] !== "1")("the screenshot of README.md", async () => {
    const shown = process.env["ACUTANCE_SCREENSHOT_MODEL"] ?? model;
    await using own = await openService({ models: [{ model: shown, device: await sharedDevice() }] });
    const at = await listen(own, { host: "127.0.0.1", port: 0 });
    const visited = await visits.visit(at.url, 1180);
    await drop(visited, await drawnPictures(20));
    await done(visited, 20, 240_000);
    await visited.waitForTimeout(300);
    await visited.setViewportSize({ width: 1180, height: 860 });
    const shot = await sharp(await visited.screenshot())
      .png({ palette: true, colours: 192, effort: 10 })
      .toBuffer();
    expect(shot.length).toBeLessThan(200_000);
    await writeFile(new URL("../../../models/service/page.png", import.meta.url), shot);
    await visited.context().close();
    await at.stop();
  });

  test.skipIf(!screenshots)("screenshots", async () => {
    for (const [width, scheme] of [
      [1280, "light"],
      [1280, "dark"],
      [420, "light"],
      [420, "dark"],
    ] as const) {
      const visited = await visits.visit(listening.url, width, scheme);
      const shot = (what: string) => visited.screenshot({ path: join(screenshots!, `${what}-${width}-${scheme}.png`) });
      await shot("empty");
      await drop(visited, pictures);
      await drop(visited, [{ name: "notes.jpg", bytes: new TextEncoder().encode("only words") }]);
      await done(visited, 20);
      await visited.waitForTimeout(300);
      await shot("grid");
      await visited.locator(".card .pick").nth(1).click({ force: true });
      await visited.locator(".card .pick").nth(4).click({ force: true });
      await visited.waitForTimeout(150);
      await shot("chosen");
      await visited.click("#open-compare");
      await visited.waitForTimeout(200);
      await shot("compare");
      await visited.click("#compare-close");
      await visited.locator(".card .frame").nth(2).click();
      await visited.locator("#heat").check();
      await visited.locator("#heat-legend").waitFor();
      await shot("detail");
      await visited.context().close();
    }
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { type Listening, listen } from "../../../cli/listen.ts";
import { openService, type Service } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { chromiumPath } from "../report/chromium.ts";
import { smallModel } from "../scoring/fixtures.ts";
import { bursts } from "./bursts.ts";
import { cards, done, drop, names, openVisits, type Visits } from "./page-visits.ts";

/** Where screenshots are put when it is set; none are made otherwise. */
const screenshots = process.env["ACUTANCE_SCREENSHOTS"];

// Without a browser the page is not looked at: the tests below show up as skipped.
describe.skipIf(chromiumPath === undefined)("bursts in Chromium", () => {
  let folder = "";
  let pictures: Awaited<ReturnType<typeof bursts>> = [];
  let service: Service;
  let listening: Listening;
  let visits: Visits;
  let page: Page;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-bursts-"));
    const model = await smallModel(folder);
    pictures = await bursts();
    service = await openService({ models: [{ model, device: await sharedDevice() }] });
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
    await drop(page, pictures);
    await done(page, 6);
    await cards(page, 2, ".burst");
  });

  afterEach(async () => {
    const { strange, complaints } = visits;
    expect({ strange, complaints }).toEqual({ strange: [], complaints: [] });
    await page.context().close();
  });

  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const counts = (words: string) => page.locator("#choice-counts", { hasText: words }).waitFor();
  const said = () => page.locator("#said").textContent();
  // The focus comes back to a card when a dialog has closed, which is a step later.
  const focused = async () => (await page.locator(".card:focus .name").textContent()) ?? "";
  const card = (name: string) => page.locator(".card").filter({ has: page.locator(`.name[title="${name}"]`) });

  test("a strip for each, the best first with its reason, in the order of the page; screen readers are told", async () => {
    await page.selectOption("#order", "added");
    // Each burst stands where its first picture came.
    await page.locator(".card .name").last().filter({ hasText: "alone.jpg" }).waitFor();
    expect(await names(page)).toEqual([
      "clean.jpg",
      "slight.jpg",
      "soft.jpg",
      "b-sharp.jpg",
      "b-soft.jpg",
      "alone.jpg",
    ]);
    const groups = page.getByRole("group", { name: /^burst of/ });
    expect(await groups.count()).toBe(2);
    expect(await groups.first().getAttribute("aria-label")).toBe("burst of 3");
    expect(await groups.first().getByRole("option").count()).toBe(3);
    expect(await card("clean.jpg").locator(".burst-place").textContent()).toBe("best of 3: sharpest");
    const reason = /3 of 3: softer: \d+ % of the sharpness of clean\.jpg$/;
    expect(await card("soft.jpg").locator(".burst-place").textContent()).toMatch(reason);
    expect(await card("soft.jpg").getAttribute("aria-label")).toMatch(reason);
    expect(await card("alone.jpg").locator(".burst-place").textContent()).toBe("");
    await page.locator("#group-count", { hasText: "2 bursts" }).waitFor();
    if (screenshots) await page.screenshot({ path: join(screenshots, "bursts.png"), fullPage: true });
    await card("soft.jpg").click();
    expect(await page.locator("#detail-facts").textContent()).toContain("3 of 3: softer: ");
  });

  test("keys walk the strips and flip choices; the best of each is kept at once, and undone at once", async () => {
    await page.selectOption("#order", "added");
    await page.locator(".card .name").last().filter({ hasText: "alone.jpg" }).waitFor();
    await card("clean.jpg").focus();
    await press("ArrowRight", "ArrowRight", "o");
    await counts("1 kept, 2 rejected, 3 undecided");
    expect(await said()).toBe("soft.jpg: kept, 2 others of its burst rejected");
    await press("x", "ArrowDown");
    await counts("0 kept, 3 rejected, 3 undecided");
    // Both bursts fit in the first row.
    expect(await focused()).toBe("alone.jpg");
    await press("o");
    expect(await said()).toBe("alone.jpg is of no burst.");
    await press("ArrowUp", "ArrowRight");
    expect(await focused()).toBe("slight.jpg");
    await press("u", "u");
    await counts("0 kept, 0 rejected, 6 undecided");
    expect(await said()).toBe("Undone for 3 pictures.");
    await card("b-soft.jpg").focus();
    await press("k");
    await page.click("#keep-best");
    // What a person decided stays.
    await counts("3 kept, 2 rejected, 1 undecided");
    expect(await said()).toBe("2 kept as the best of their bursts, 2 rejected.");
    expect(await page.locator("#keep-best").isDisabled()).toBe(true);
    await press("u");
    await counts("1 kept, 0 rejected, 5 undecided");
  });

  test("grouping is switched off and on, and remembered; without it nothing of it is asked for", async () => {
    await page.uncheck("#group-bursts");
    await cards(page, 0, ".burst");
    await cards(page, 6);
    expect(await page.locator("#keep-best").isHidden()).toBe(true);
    expect((await page.locator(".burst-place").allTextContents()).join("")).toBe("");
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname + new URL(request.url()).search));
    await page.reload();
    await drop(page, pictures);
    await done(page, 6);
    expect(await page.isChecked("#group-bursts")).toBe(false);
    expect(asked.filter((url) => /group|look/.test(url))).toEqual([]);
    // What is needed to group them is asked for now.
    await page.check("#group-bursts");
    await cards(page, 2, ".burst");
    expect(asked.filter((url) => /group|look/.test(url)).map((url) => url.replace(/\?.*/, ""))).toEqual([
      "/v1/score/stream",
      "/v1/group",
    ]);
    await page.reload();
    expect(await page.isChecked("#group-bursts")).toBe(true);
  });

  test("one of a burst that alone passes the filters is a card like others; cleared pictures leave no strip", async () => {
    await page.fill("#filter-name", "soft");
    await cards(page, 2);
    await cards(page, 0, ".burst");
    await page.click("#show-all");
    await cards(page, 2, ".burst");
    await page.click("#clear");
    await cards(page, 0);
    await cards(page, 0, ".burst");
    await drop(page, pictures.slice(2, 4));
    await done(page, 2);
    await page.locator("#group-count").filter({ hasText: /^$/ }).waitFor({ state: "attached" });
    await cards(page, 0, ".burst");
  });
});

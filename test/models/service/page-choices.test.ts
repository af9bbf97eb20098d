import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { strFromU8, unzipSync } from "fflate";
import type { Page } from "playwright-core";
import { type Listening, listen } from "../../../cli/listen.ts";
import { answerSchema, openService, type Service } from "../../../models/service/index.ts";
import { sidecarNamespace, valueIn } from "../../../models/sidecars/update-sidecar.ts";
import { namespaces, readXmp } from "../../../models/sidecars/xmp-document.ts";
import { sharedDevice } from "../../engine/device.ts";
import { chromiumPath } from "../report/chromium.ts";
import { smallModel } from "../scoring/fixtures.ts";
import { cards, done, drop, names, openVisits, type Visits } from "./page-visits.ts";
import { realPictures } from "./real-pictures.ts";

/** Where screenshots are put when it is set; none are made otherwise. */
const screenshots = process.env["ACUTANCE_SCREENSHOTS"];

// Without a browser the page is not looked at: the tests below show up as skipped.
describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let folder = "";
  let pictures: Awaited<ReturnType<typeof realPictures>> = [];
  let service: Service;
  let listening: Listening;
  let visits: Visits;
  let page: Page;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "acutance-choices-"));
    const model = await smallModel(folder);
    const five = await realPictures(5);
    pictures = [...five, { ...five[2]!, name: "again.jpg" }];
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
    // Bursts have tests of their own.
    await cards(page, 1, ".burst");
    await page.uncheck("#group-bursts");
    await cards(page, 0, ".burst");
    await page.evaluate("document.activeElement.blur()");
  });

  afterEach(async () => {
    const { strange, complaints } = visits;
    expect({ strange, complaints }).toEqual({ strange: [], complaints: [] });
    await page.context().close();
  });

  /** What the service says of the pictures, with percentiles, the best first. */
  async function answers() {
    const form = new FormData();
    for (const { name, bytes } of pictures) form.append("pictures", new Blob([new Uint8Array(bytes)]), name);
    const response = await fetch(`${listening.url}/v1/score?percentiles=1`, { method: "POST", body: form });
    const rows = answerSchema.parse(await response.json()).pictures.map((row) => {
      if ("error" in row) throw new Error(row.error.detail);
      return row;
    });
    return rows.toSorted((a, b) => b.score - a.score || a.index - b.index);
  }

  const shown = (count: number) => page.locator("#shown-count", { hasText: `${count} of 6 shown` }).waitFor();

  test("percentiles are those of the service; equal scores have the same", async () => {
    const rows = await answers();
    const words = rows.map(({ percentile }) => `percentile ${Math.round(percentile!)}`);
    expect(new Set(words).size).toBe(5);
    expect(await names(page)).toEqual(rows.map(({ name }) => name));
    expect(await page.locator(".card .place").allTextContents()).toEqual(words);
    expect(await page.locator(".card").first().getAttribute("aria-label")).toContain(words[0]!);
    await page.locator(".card").first().click();
    expect(await page.locator("#detail-facts").textContent()).toContain("among the 6 pictures scored on this page");
  });

  test("filters by name, score and place show what is like that; nothing says so", async () => {
    const rows = await answers();
    await page.fill("#filter-name", "AGAIN");
    await shown(1);
    expect(await names(page)).toEqual(["again.jpg"]);
    await page.fill("#filter-name", "no such picture");
    await shown(0);
    await page.getByText("No picture is like this.").waitFor();
    await page.fill("#filter-name", "");
    await cards(page, 6);
    await page.fill("#filter-from", String(rows[4]!.score));
    await page.fill("#filter-to", String(rows[1]!.score));
    const between = rows.filter(({ score }) => score >= rows[4]!.score && score <= rows[1]!.score);
    await shown(between.length);
    expect(await names(page)).toEqual(between.map(({ name }) => name));
    await page.click("#show-all");
    await cards(page, 6);
    expect(await page.inputValue("#filter-from")).toBe("");
    await page.selectOption("#filter-end", "worst");
    await page.fill("#filter-share", "33");
    await shown(2);
    expect(await names(page)).toEqual(rows.slice(4).map(({ name }) => name));
    await page.selectOption("#filter-end", "best");
    await page.fill("#filter-share", "1");
    await shown(1);
    expect(await names(page)).toEqual([rows[0]!.name]);
    if (screenshots) await page.screenshot({ path: join(screenshots, "filters.png") });
  });

  const choice = (name: string) => page.locator(".card", { hasText: name }).locator(".decision");
  const counts = (words: string) => page.locator("#choice-counts", { hasText: words }).waitFor();
  const said = () => page.locator("#said").textContent();
  // The focus comes back to a card when a dialog has closed, which is a step later.
  const focused = async () => (await page.locator(".card:focus .name").textContent()) ?? "";
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };

  test("keys keep, reject, rate and undo; screen readers are told, and it shows without colours", async () => {
    const order = await names(page);
    await press("ArrowRight", "4", "ArrowRight", "x", "ArrowRight", "k");
    await counts("2 kept, 1 rejected, 3 undecided");
    expect(await said()).toBe(`${order[2]!}: kept`);
    const badges = await page.locator(".card .decision:visible").allTextContents();
    expect(badges).toEqual(["★★★★", "✕ rejected", "✓ kept"]);
    const label = await page.locator(".card").first().getAttribute("aria-label");
    expect(label).toStartWith(`${order[0]!}, kept, 4 stars: score`);
    await press("5", "u");
    await counts("2 kept, 1 rejected, 3 undecided");
    expect(await said()).toBe(`${order[2]!}: undone, kept`);
    await press("ArrowLeft", "0");
    await counts("2 kept, 0 rejected, 4 undecided");
    await press("Control+z", "?");
    await page.locator("#keys[open]").waitFor();
    // Keys of a dialog are not those of the cards.
    await press("x", "Escape");
    await counts("2 kept, 1 rejected, 3 undecided");
    if (screenshots) await page.screenshot({ path: join(screenshots, "choices.png") });
  });

  test("among the undecided, what is decided goes away and the next has the focus; closely too", async () => {
    const order = await names(page);
    await page.selectOption("#filter-decision", "none");
    await page.locator(".card").nth(1).focus();
    await press("x");
    await shown(5);
    expect(await focused()).toBe(order[2]!);
    await press("Enter", "k");
    await page.locator("#detail-decision", { hasText: "kept" }).waitFor();
    await shown(4);
    await page.click("#detail-next");
    await page.locator("#detail-name", { hasText: order[3]! }).waitFor();
    await page.click("#detail-reject");
    await page.locator("#detail-reject[aria-pressed=true]").waitFor();
    await shown(3);
    if (screenshots) await page.screenshot({ path: join(screenshots, "closely.png") });
    await press("Escape");
    expect(await focused()).toBe(order[4]!);
    await page.selectOption("#filter-decision", "reject");
    await shown(2);
    expect(await names(page)).toEqual([order[1]!, order[3]!]);
    // Typing is not choosing.
    await page.locator("#filter-name").pressSequentially("x1k");
    await counts("1 kept, 2 rejected, 3 undecided");
  });

  test("choices are remembered by the bytes of the files, until they are forgotten", async () => {
    const order = await names(page);
    await page.locator(".card").first().focus();
    await press("3", "ArrowRight", "x");
    await counts("1 kept, 1 rejected, 4 undecided");
    const stored = () =>
      page.evaluate<string[]>("Object.keys(localStorage).filter((key) => key.startsWith('acutance-choice-'))");
    const sums = order.slice(0, 2).map((name) => {
      const { bytes } = pictures.find((picture) => picture.name === name)!;
      return `acutance-choice-${createHash("sha256").update(bytes).digest("hex")}`;
    });
    for (let i = 0; i < 100 && (await stored()).length < 2; i++) await page.waitForTimeout(20);
    expect((await stored()).toSorted()).toEqual(sums.toSorted());
    await page.reload();
    await drop(
      page,
      order.map((name) => ({ name: `new-${name}`, bytes: pictures.find((picture) => picture.name === name)!.bytes })),
    );
    await done(page, 6);
    await choice(`new-${order[0]!}`).filter({ hasText: "★★★" }).waitFor();
    await choice(`new-${order[1]!}`).filter({ hasText: "rejected" }).waitFor();
    expect(await page.locator("#forgets-why").textContent()).toBe("");
    await page.click("#forget");
    await page.click("#forget-cancel");
    expect(await stored()).toHaveLength(2);
    await page.click("#forget");
    await page.click("#forget-sure");
    await counts("0 kept, 0 rejected, 6 undecided");
    expect(await stored()).toEqual([]);
    expect(await page.locator("#forget").isDisabled()).toBe(true);
  });

  test("choices are saved as a table, and as sidecars that the library reads", async () => {
    await page.click("#clear");
    const [one, two, three] = pictures as [(typeof pictures)[0], (typeof pictures)[0], (typeof pictures)[0]];
    const named = [
      { ...one, name: "a, b.jpg" },
      { ...two, name: "a, b.jpg" },
      { ...three, name: "é <&>.jpg" },
      { ...pictures[3]!, name: "kept.jpg" },
      { ...pictures[4]!, name: "not.jpg" },
    ];
    await drop(page, named);
    await done(page, 5);
    expect(await page.locator("#choices-csv").isDisabled()).toBe(true);
    await page.selectOption("#order", "added");
    await page.locator(".card", { hasText: "not.jpg" }).last().waitFor();
    await page.locator(".card", { hasText: "kept.jpg" }).focus();
    await press("k", "Home", "2", "ArrowRight", "x", "ArrowRight", "5");
    await counts("3 kept, 1 rejected, 1 undecided");
    const saved = async (button: string) => {
      const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
      return file.path();
    };
    const table = await saved("#choices-csv");
    const rows = parse(await readFile(table, "utf8"), { columns: true }) as Record<string, string>[];
    expect(rows.map(({ path, decision, stars }) => [path, decision, stars])).toEqual([
      ["a, b.jpg", "keep", "2"],
      ["a, b.jpg", "reject", ""],
      ["é <&>.jpg", "keep", "5"],
      ["kept.jpg", "keep", ""],
    ]);
    const files = unzipSync(await readFile(await saved("#choices-xmp")));
    const ratings = Object.entries(files).map(([name, bytes]) => {
      const document = readXmp(strFromU8(bytes));
      const value = (namespace: string, key: string) => valueIn(document, namespace, key);
      expect(Number(value(sidecarNamespace, "Score"))).toBeGreaterThan(0);
      expect(value(sidecarNamespace, "Model")).toBe("small");
      return [name, value(namespaces.xmp, "Rating")];
    });
    expect(ratings).toEqual([
      ["a, b.jpg.xmp", "2"],
      ["2/a, b.jpg.xmp", "-1"],
      ["é <&>.jpg.xmp", "5"],
    ]);
    expect(await page.locator("#export-note").textContent()).toBe(
      "3 sidecars. 1 kept without stars have none. 1 of pictures with a name that another one has lie in folders of their own.",
    );
    if (screenshots) await page.screenshot({ path: join(screenshots, "export.png") });
  });

  test("where the browser cannot hash, choices last for the visit and the page says so", async () => {
    // As on http: from another machine.
    await page.addInitScript("Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined })");
    await page.reload();
    await drop(page, pictures);
    await done(page, 6);
    await page.locator(".card").first().focus();
    await page.keyboard.press("k");
    await page.locator("#choice-counts", { hasText: "1 kept" }).waitFor();
    expect(await page.locator("#forgets-why").textContent()).toStartWith("Choices last for this visit");
    expect(await page.evaluate<string[]>("Object.keys(localStorage)")).toEqual(["acutance-ungrouped"]);
  });
});

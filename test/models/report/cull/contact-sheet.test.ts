import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { contactSheet, type SheetPicture } from "../../../../models/report/cull/contact-sheet.ts";
import { chromiumPath, launch, openWatched, type Watched } from "../chromium.ts";

let folder = "";
let browser: Browser | undefined;
let thumbnail = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-sheet-"));
  const picture = sharp({ create: { width: 60, height: 40, channels: 3, background: "teal" } });
  thumbnail = (await picture.webp().toBuffer()).toString("base64");
  if (chromiumPath) browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Groups of 5, then as many alone, then one that could not be looked at. */
function sheetOf(groups: number, alone: number): SheetPicture[] {
  const facts = { words: "softer", sharpness: 0.5, width: 60, height: 40 } as const;
  return [
    ...Array.from({ length: groups * 5 }, (_, i) => ({
      path: `photos/${i}.jpg`,
      group: 1 + Math.floor(i / 5),
      rank: 1 + (i % 5),
      decision: i % 5 ? ("reject" as const) : ("keep" as const),
      ...facts,
    })),
    ...Array.from({ length: alone }, (_, i) => ({
      path: `alone/${i}.jpg`,
      group: groups + 1 + i,
      rank: 1,
      decision: "keep" as const,
      ...facts,
    })),
    { path: "</script><b>.jpg", error: "It is <i>broken</i>." },
  ];
}

async function opened(pictures: readonly SheetPicture[], width?: number): Promise<Watched> {
  const path = join(folder, `${pictures.length}.html`);
  await writeFile(path, [...contactSheet(pictures, (i) => (pictures[i]!.error ? undefined : thumbnail))].join(""));
  return openWatched(browser!, pathToFileURL(path).href, width);
}

describe.skipIf(!chromiumPath)("the contact sheet in Chromium", () => {
  test("choices are made by keys, undone, remembered and exported", async () => {
    const { page, requests, complaints } = await opened(sheetOf(3, 2));
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const counts = () => page.textContent("#counts");
    const state = (i: number) => page.getAttribute(`[data-index="${i}"]`, "data-decision");
    await page.waitForSelector(".card img");
    expect(await counts()).toBe("5 kept, 12 rejected");
    await press("ArrowRight", "ArrowRight", "k");
    expect([await state(1), await counts()]).toEqual(["keep", "6 kept, 11 rejected, 1 changed by you"]);
    await press("ArrowDown", "3", "ArrowDown", "o");
    expect(await Promise.all([6, 10, 11, 12].map(state))).toEqual(["keep", "reject", "keep", "reject"]);
    await press("u", "x", "Space");
    expect(await counts()).toBe("7 kept, 10 rejected, 2 changed by you");
    await press("Control+z");
    expect(await counts()).toBe("6 kept, 11 rejected, 3 changed by you");
    expect(await page.getAttribute('[data-index="6"]', "aria-label")).toBe("6.jpg: keep, 3 stars, softer");
    for (const [button, check] of [
      ["#csv", (text: string) => text.includes("photos/6.jpg,keep,3,2\n")],
      ["#json", (text: string) => JSON.parse(text).choices.length === 17],
    ] as const) {
      const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
      expect(check(await readFile((await download.path())!, "utf8"))).toBe(true);
    }
    await page.reload();
    expect(await counts()).toBe("6 kept, 11 rejected, 3 changed by you");
    await page.selectOption("#show", "changed");
    expect(await page.locator(".card").count()).toBe(3);
    expect(await page.textContent("#errors")).toContain("</script><b>.jpgIt is <i>broken</i>.");
    expect([requests, complaints]).toEqual([[], []]);
    await page.close();
  });

  test("one card alone is reached by Tab; each has a name and a state", async () => {
    const { page } = await opened(sheetOf(2, 1));
    expect(await page.locator('.card[tabindex="0"]').count()).toBe(1);
    expect(await page.locator(".card[aria-label][aria-pressed]").count()).toBe(11);
    await page.click('[data-index="4"]');
    expect(await page.locator('.card[tabindex="0"]').getAttribute("data-index")).toBe("4");
    expect(await page.locator('[data-index="4"]').getAttribute("aria-pressed")).toBe("true");
    await page.keyboard.press("?");
    expect(await page.locator("dialog").getAttribute("open")).not.toBeNull();
    await page.close();
  });

  test("thousands are on pages, which keys turn", async () => {
    const { page } = await opened(sheetOf(800, 1000));
    expect(await page.textContent(".where")).toMatch(/^page 1 of 1\d$/);
    expect(await page.locator(".card").count()).toBe(300);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowRight");
    expect(await page.textContent(".where")).toMatch(/^page 2 of/);
    expect(await page.evaluate("document.activeElement.dataset.index")).toBe("300");
    await page.fill("#name", "photos/3999.jpg");
    expect(await page.locator(".card").count()).toBe(1);
    await page.close();
  });

  test("nothing is wider than a narrow window", async () => {
    const { page } = await opened(sheetOf(2, 2), 360);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await page.close();
  });
});

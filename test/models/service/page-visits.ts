import { expect } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launch } from "../report/chromium.ts";

/** A browser in which pages of a service are visited, and what they should not do. */
export interface Visits {
  readonly browser: Browser;
  /** Opens the page of a service anew; what was strange before is forgotten. */
  visit(url: string, width?: number, scheme?: "light" | "dark"): Promise<Page>;
  /** Requests to elsewhere since the last visit. */
  readonly strange: string[];
  /** Errors and warnings of scripts and of the browser's console since the last visit. */
  readonly complaints: string[];
}

export async function openVisits(): Promise<Visits> {
  const browser = await launch();
  const strange: string[] = [];
  const complaints: string[] = [];
  const visit = async (url: string, width = 1280, scheme: "light" | "dark" = "light") => {
    strange.length = complaints.length = 0;
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
    const page = await context.newPage();
    page.on("request", (request) => {
      if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) strange.push(request.url());
    });
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    return page;
  };
  return { browser, visit, strange, complaints };
}

/** Drops files on a page as a script would. */
export async function drop(page: Page, files: readonly { name: string; bytes: Uint8Array }[]): Promise<void> {
  const sent = files.map(({ name, bytes }) => ({ name, text: Buffer.from(bytes).toString("base64") }));
  const transfer = await page.evaluateHandle(`(() => {
    const data = new DataTransfer();
    for (const { name, text } of ${JSON.stringify(sent)}) {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      data.items.add(new File([bytes], name, { type: "image/jpeg" }));
    }
    return data;
  })()`);
  await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
}

/** Resolves when so many pictures are scored and none waits. */
export const done = (page: Page, count: number, timeout = 30_000) =>
  page.getByText(new RegExp(`^${count} pictures? scored`)).waitFor({ timeout });

/** Waits until there are so many elements. */
export async function cards(page: Page, count: number, which = ".card"): Promise<void> {
  for (let i = 0; i < 100 && (await page.locator(which).count()) !== count; i++) await page.waitForTimeout(20);
  expect(await page.locator(which).count()).toBe(count);
}

export const names = (page: Page) => page.locator(".card .name").allTextContents();

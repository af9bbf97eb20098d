import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

/** Where Debian, Ubuntu and macOS put it; CHROMIUM names another. */
const places = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Path of an installed Chromium; undefined where there is none. */
export const chromiumPath = places.find((path) => path && existsSync(path));

// Where pages must be tested, as in CI, its absence is a failure.
if (process.env["ACUTANCE_NEEDS_CHROMIUM"] === "1" && chromiumPath === undefined) {
  throw new Error("pages are to be tested and there is no Chromium: install it, or name it by CHROMIUM");
}

/** @param args more switches of the command line */
export function launch(args: readonly string[] = []): Promise<Browser> {
  // The sandbox of Chromium refuses to run as root, as CI does.
  const own = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: chromiumPath, args: [...own, ...args] });
}

/** Switches with which Chromium has WebGPU on its own software adapter. */
export const softwareWebgpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** What a page did that it should not. */
export interface Watched {
  readonly page: Page;
  /** Addresses that it asked for, the page itself left out. */
  readonly requests: string[];
  /** Errors and warnings of its console, and exceptions. */
  readonly complaints: string[];
}

/** Opens a file and watches it from its first request on. */
export async function openWatched(browser: Browser, address: string, width = 1280): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const watched: Watched = { page, requests: [], complaints: [] };
  await page.route("**/*", (route) => {
    const url = route.request().url();
    // What is made in the page does not leave it.
    if (url !== address && !/^(data|blob):/.test(url)) watched.requests.push(url);
    return route.continue();
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) watched.complaints.push(message.text());
  });
  page.on("pageerror", (error) => watched.complaints.push(error.message));
  await page.goto(address);
  return watched;
}

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import sharp, { type Sharp } from "sharp";
import * as engine from "../../../engine/portable.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { serveExample } from "../../../models/browser/example/serve.ts";
import { decode, type Picture } from "../../../models/data/pictures/decode.ts";
import { reduced, stretched } from "../../../models/data/pictures/resample.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { sharedDevice } from "../../engine/device.ts";
import { bundle } from "../../package/bundle.ts";
import { chromiumPath, launch, softwareWebgpu } from "../report/chromium.ts";
import { badPictures } from "../scoring/fixtures.ts";
import { realPictures } from "../service/real-pictures.ts";

let folder = "";
let text = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-browser-"));
  ({ text } = await bundle());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("the bundle needs nothing but a browser", () => {
  expect(text.length).toBeGreaterThan(100_000);
  const strange = [
    /["'`](?:node|bun):[a-z]\w*/g,
    /\brequire\(/g,
    /\}\s*from\s*["'][^"'}]*["'];/g,
    /\bimport\s*["'(][^"']*/g,
    /\bprocess\s*[.[?]+\w*/g,
    /\bBuffer\s*[.[?]+\w*/g,
    /\b(?:__dirname|Deno|Bun)\b/g,
  ];
  // Kernels have words of their own, and a package looks whether there is a process.
  const script = text
    .replace(/'[^'\n]*@compute[^'\n]*'|"[^"\n]*@compute[^"\n]*"|`[^`]*@compute[^`]*`/g, "")
    .replace(/\(!!globalThis\.Deno\|\|!!globalThis\.Bun\|\|typeof process!="object"[^)]*\)/, "()");
  expect(strange.flatMap((pattern) => script.match(pattern) ?? [])).toEqual([]);
  expect(text.match(/weights\/[\w-]+\.safetensors"/g)).toHaveLength(3);
});

test("operations and gradients of the bundle have the bits of those of the source", async () => {
  const path = join(folder, "index.js");
  await writeFile(path, text);
  const page = (await import(path)) as typeof engine;
  const { create } = await import("webgpu");
  const results = async (from: typeof engine, device: engine.Device) => {
    const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7));
    const x = from.Tensor.from(device, numbers(2 * 9 * 7 * 8), [2, 9, 7, 8]);
    const weight = from.parameter(device, numbers(3 * 3 * 8 * 12), [3, 3, 8, 12]);
    const y = from.softmax(from.relu(from.conv2d(x, weight, { padding: 1 })));
    from.backward(from.sum(from.square(y)));
    return [await y.read(), await weight.gradient!.read()];
  };
  const own = await page.openDevice({ gpu: create([]) });
  const [there, here] = [await results(page, own), await results(engine, await sharedDevice())];
  own.close();
  expect(there[0]!.some((value) => value > 0)).toBe(true);
  expect(there).toEqual(here);
  expect(Tensor).not.toBe(page.Tensor);
});

test("without WebGPU the errors say what to do", async () => {
  const path = join(folder, "index.js");
  await writeFile(path, text);
  const page = (await import(path)) as typeof engine;
  const none = { requestAdapter: async () => null } as unknown as GPU;
  const advice = async (work: Promise<unknown>) => {
    const error = (await work.then(
      () => undefined,
      (failure) => failure,
    )) as engine.GpuError;
    return `${error.message}: ${error.advice}`;
  };
  expect(await advice(page.openDevice({ gpu: none }))).toMatch(
    /no WebGPU adapter: .*chrome:\/\/gpu.*software adapter/s,
  );
  expect(await advice(page.openDevice({ provider: "webgpu" }))).toContain('no package "webgpu": leave `provider` out');
});

/** The largest difference and the mean of all, levels of 255. */
function difference(a: Uint8Array, b: Uint8Array): { most: number; mean: number } {
  let [most, sum] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const one = Math.abs(a[i]! - b[i]!);
    most = Math.max(most, one);
    sum += one;
  }
  return { most, mean: sum / a.length };
}

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let browser: Browser;
  let server: Server;
  let page: Page;
  let pictures: Awaited<ReturnType<typeof realPictures>> = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    pictures = await realPictures(5);
    const { text: decoding } = await bundle(fileURLToPath(new URL("in-page.ts", import.meta.url)));
    let address = "";
    ({ server, address } = await serveExample(0, text));
    browser = await launch(softwareWebgpu);
    page = await browser.newPage({ viewport: { width: 900, height: 900 } });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(address);
    await page.addScriptTag({ type: "module", content: decoding });
  });

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  async function inPage(file: Uint8Array, more: object = {}): Promise<Picture> {
    const asked = JSON.stringify({ file: Buffer.from(file).toString("base64"), ...more });
    const { size, pixels } = await page.evaluate<{ size: number[]; pixels: string }>(`pixelsOf(${asked})`);
    return { width: size[0]!, height: size[1]!, pixels: new Uint8Array(Buffer.from(pixels, "latin1")) };
  }

  const alpha = (image: Sharp) => image.ensureAlpha(0.4).png();
  // Levels of 255 that the browser's pixels may lie from sharp's: what was measured, rounded up.
  const kinds: readonly (readonly [string, (image: Sharp) => Sharp, number, number])[] = [
    ["JPEG", (image) => image.jpeg({ quality: 88 }), 0, 0],
    ["JPEG that is turned by EXIF", (image) => image.withMetadata({ orientation: 6 }).jpeg({ quality: 88 }), 0, 0],
    [
      "progressive JPEG without subsampling",
      (image) => image.jpeg({ progressive: true, chromaSubsampling: "4:4:4" }),
      0,
      0,
    ],
    ["PNG", (image) => image.png(), 0, 0],
    ["PNG of 16 bits", (image) => image.toColourspace("rgb16").png(), 1, 0.1],
    ["transparent PNG", alpha, 1, 0.5],
    ["WebP", (image) => image.webp({ quality: 80 }), 0, 0],
    ["AVIF", (image) => image.avif({ quality: 60 }), 4, 1],
    ["JPEG in Display P3", (image) => image.withIccProfile("p3").jpeg({ quality: 90 }), 3, 0.5],
  ];

  test.each(kinds)("%s is decoded as by sharp", async (_, encode, most, mean) => {
    const file = new Uint8Array(await encode(sharp(pictures[1]!.bytes)).toBuffer());
    const [there, here] = [await inPage(file), await decode(file)];
    expect([there.width, there.height]).toEqual([here.width, here.height]);
    const found = difference(there.pixels, here.pixels);
    if (process.env["SHOW"]) console.log(_, found);
    expect(found.most).toBeLessThanOrEqual(most);
    expect(found.mean).toBeLessThanOrEqual(mean);
  });

  test.each([100, 200, 333])("a picture reduced to %d pixels is as by sharp", async (longerSide) => {
    const file = pictures[0]!.bytes;
    const whole = await decode(file);
    const [there, here] = [await inPage(file, { longerSide }), await reduced(whole, longerSide)];
    expect([there.width, there.height]).toEqual([here.width, here.height]);
    const size = { width: longerSide, height: longerSide };
    const [other, own] = [await inPage(file, { size }), await stretched(whole, size)];
    const found = [difference(there.pixels, here.pixels), difference(other.pixels, own.pixels)];
    if (process.env["SHOW"]) console.log(longerSide, found);
    for (const { mean } of found) expect(mean).toBeLessThan(0.5);
  });

  test("the page scores a picture as Bun does, and says what is no picture", async () => {
    const picture = pictures[4]!;
    const bad = Object.values(await badPictures())[0]!;
    await page.selectOption("#model", "fast");
    const file = (name: string, bytes: Uint8Array) => ({ name, mimeType: "", buffer: Buffer.from(bytes) });
    await page.setInputFiles("#files", [file(picture.name, picture.bytes), file("bad.jpg", bad.bytes)]);
    await page.waitForSelector("#results li.bad");
    await page.waitForSelector("#results li[data-score]", { timeout: 100_000 });
    expect(await page.textContent("#status")).toBe("");
    expect(await page.textContent("#device")).toContain("swiftshader");
    expect(await page.textContent("#results li.bad")).toMatch(/has no score\s+\S/);
    const row = page.locator("#results li[data-score]");
    const shown = Number(await row.getAttribute("data-score"));
    await using scorer = await openScorer({ model: "fast", device: await sharedDevice(), reasons: true });
    const { score, reasons } = await scorer.score(picture.bytes);
    // Another driver rounds otherwise: 1e-4 of 100 was seen.
    expect(Math.abs(shown - score)).toBeLessThan(0.01);
    expect(reasons![0]!.reason).toBe("compression");
    expect(await row.textContent()).toContain("Most likely lowered by compression");
    expect(complaints).toEqual([]);
  });

  test("a page without WebGPU says what to do", async () => {
    const other = await browser.newPage();
    await other.addInitScript("delete Navigator.prototype.gpu");
    await other.goto(page.url());
    await other.setInputFiles("#files", { name: "a.jpg", mimeType: "", buffer: Buffer.from(pictures[0]!.bytes) });
    await other.waitForSelector("#status.bad");
    expect(await other.textContent("#status")).toMatch(/^this browser has no WebGPU: use a current Chrome/);
    await other.close();
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { type Listening, listen } from "../../../cli/listen.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { openService, type Service, type ServiceOptions } from "../../../models/service/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { chromiumPath } from "../report/chromium.ts";
import { smallModel } from "../scoring/fixtures.ts";
import { cards, done, drop, names, openVisits, type Visits } from "./page-visits.ts";
import { realPictures } from "./real-pictures.ts";

let folder = "";
let model = "";
let pictures: Awaited<ReturnType<typeof realPictures>> = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-page-"));
  model = await smallModel(folder);
  pictures = await realPictures(4);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const open = async (options: Partial<ServiceOptions> = {}) =>
  openService({ models: [{ model, device: await sharedDevice(), tiles: 6 }], hosts: [], ...options });

test("the page is sent to whoever asks, with a policy that lets it ask for nothing elsewhere", async () => {
  await using closed = await open({ token: "open sesame" });
  const response = await closed.fetch(new Request("http://localhost/"));
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy")!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).not.toContain("unsafe");
  const html = await response.text();
  // Namespaces are no addresses.
  const asks = html.replaceAll(
    /http:\/\/(www\.w3\.org\/(2000\/svg|1999\/02\/22-rdf-syntax-ns#)|ns\.adobe\.com\/xap\/1\.0\/)/g,
    "",
  );
  expect(asks).not.toMatch(/\b(?:src|href)="(?!data:,|#)|https?:\/\//);
  // A name that two of its scripts declare is a syntax error.
  expect(() => new Function(/<script type="module">(.*)<\/script>/s.exec(html)![1]!)).not.toThrow();
});

// Without a browser the page is not looked at: the tests below show up as skipped.
describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let visits: Visits;
  let service: Service;
  let listening: Listening;
  let page: Page;

  beforeAll(async () => {
    service = await open();
    listening = await listen(service, { host: "127.0.0.1", port: 0 });
    visits = await openVisits();
  });

  afterAll(async () => {
    await visits?.browser.close();
    await listening?.stop();
    await service?.close();
  });

  beforeEach(async () => {
    page = await visits.visit(listening.url);
  });

  afterEach(async () => {
    const { strange, complaints } = visits;
    expect({ strange, complaints }).toEqual({ strange: [], complaints: [] });
    await page.context().close();
  });

  async function album(name: string): Promise<string> {
    const inner = join(folder, name, "inner");
    await mkdir(inner, { recursive: true });
    await writeFile(join(folder, name, "notes.txt"), "words");
    for (const picture of pictures.slice(0, 3)) await writeFile(join(inner, picture.name), picture.bytes);
    return join(folder, name);
  }

  async function expectAlbum(name: string) {
    await done(page, 3);
    const inside = pictures.slice(0, 3).map((picture) => `${name}/inner/${picture.name}`);
    expect((await names(page)).toSorted()).toEqual(inside.toSorted());
    expect(await page.locator("#left-out").textContent()).toBe("1 file that is no picture was left out.");
  }

  test("a folder that is chosen is walked; what is no picture in it is left out and counted", async () => {
    await page.setInputFiles("#folder", await album("chosen"));
    await expectAlbum("chosen");
  });

  /** Drags files and folders from elsewhere onto the page, as the browser itself does. */
  async function drag(files: readonly string[], beforeDrop = async () => {}): Promise<void> {
    const session = await page.context().newCDPSession(page);
    for (const type of ["dragEnter", "dragOver", "drop"] as const) {
      if (type === "drop") await beforeDrop();
      await session.send("Input.dispatchDragEvent", {
        ...{ type, x: 400, y: 300 },
        data: { items: [], files: [...files], dragOperationsMask: 1 },
      });
      const over = await page.evaluate<boolean>("document.body.classList.contains('over')");
      expect(over).toBe(type !== "drop");
    }
  }

  test("a folder that is dropped is walked as well", async () => {
    await drag([await album("dropped")]);
    await expectAlbum("dropped");
  });

  test("what cannot be read of a drop says so, and the rest comes in", async () => {
    const [before, after, many] = [join(folder, "before.png"), join(folder, "after.png"), join(folder, "many")];
    for (const path of [before, after]) await writeFile(path, "a file that is moved away");
    await mkdir(many);
    await Promise.all(Array.from({ length: 1000 }, (_, i) => writeFile(join(many, `${i}.txt`), "words")));
    await drag([before, await album("half"), many, after], () => rm(before));
    // The folders are walked meanwhile.
    await rm(after);
    await page.getByText("3 pictures scored, 1 without a score").waitFor();
    expect(await page.locator(".card[data-stage=failed]").textContent()).toContain("can no longer read this file");
    expect(await page.locator("#left-out").textContent()).toBe(
      "1001 files that are no pictures were left out. 1 file or folder could not be read.",
    );
    // The browser says on the console that the first request could not be sent.
    visits.complaints.length = 0;
  });

  test("a picture is pasted from the clipboard and has the score of its pixels", async () => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const bytes = await sharp(pictures[0]!.bytes).png().toBuffer();
    await page.evaluate(`(async () => {
      const bytes = Uint8Array.from(atob("${bytes.toString("base64")}"), (letter) => letter.charCodeAt(0));
      await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
    })()`);
    await page.keyboard.press("Control+V");
    await done(page, 1);
    await using scorer = await openScorer({ model, device: await sharedDevice(), tiles: 6 });
    const { score } = await scorer.score(bytes);
    expect(await page.locator(".card .score").textContent()).toBe(score.toFixed(1));
    // A text is none.
    await page.evaluate("navigator.clipboard.writeText('words')");
    await page.keyboard.press("Control+V");
    await cards(page, 1);
  });

  test("it says how the model sees pictures", async () => {
    await page.locator("#about-model", { hasText: "mean over at most 6 tiles at original size" }).waitFor();
  });

  /** Elements that a screen reader stops at and has no words for. */
  async function nameless(): Promise<string[]> {
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    const named = ["button", "checkbox", "combobox", "dialog", "group", "image", "listbox", "option", "progressbar"];
    const roles = new Set([...named, "region", "slider", "textbox"]);
    const seen = nodes.filter(({ ignored }) => !ignored);
    expect(seen.length).toBeGreaterThan(10);
    const isStop = ({ role, properties = [] }: (typeof seen)[number]) =>
      roles.has(role?.value) || properties.some(({ name, value }) => name === "focusable" && value.value === true);
    return seen
      .filter((node) => isStop(node) && node.role?.value !== "RootWebArea" && !node.name?.value)
      .map(({ role }) => role?.value);
  }

  /** Texts that are hard to read on what lies behind them: contrast below 4.5 (WCAG 2.2, 1.4.3). */
  const faint = () =>
    page.evaluate<string[]>(`(() => {
      const parsed = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
      const luminance = ([r, g, b]) => {
        const [R, G, B] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * R + 0.7152 * G + 0.0722 * B;
      };
      const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
          const [r, g, b, alpha = 1] = parsed(getComputedStyle(at).backgroundColor);
          if (alpha === 1) return [r, g, b];
        }
        return [255, 255, 255];
      };
      const texts = [...document.querySelectorAll("body *")].filter((node) =>
        node.checkVisibility() && !node.closest(":disabled, .frame") && !["SCRIPT", "STYLE", "OPTION"].includes(node.tagName) &&
        [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
      return texts.flatMap((node) => {
        const [light, dark] = [luminance(parsed(getComputedStyle(node).color)), luminance(behind(node))].sort((a, b) => b - a);
        const contrast = (light + 0.05) / (dark + 0.05);
        return contrast < 4.5 ? [node.tagName + " " + node.textContent.slice(0, 30) + " " + contrast.toFixed(2)] : [];
      });
    })()`);

  test.each(["light", "dark"] as const)(
    "in %s, everything has a name for screen readers and can be read",
    async (scheme) => {
      await page.context().close();
      page = await visits.visit(listening.url, 1280, scheme);
      const look = async (where: string) =>
        expect({ where, nameless: await nameless(), faint: await faint() }).toEqual({ where, nameless: [], faint: [] });
      await page.locator("#about-model", { hasText: "small" }).waitFor();
      await look("empty");
      await drop(page, [...pictures, { name: "notes.jpg", bytes: new TextEncoder().encode("only words") }]);
      await done(page, 4);
      await look("grid");
      await page.locator(".card .pick").nth(0).click({ force: true });
      await page.locator(".card .pick").nth(2).click({ force: true });
      await page.click("#open-compare");
      await look("compare");
      await page.keyboard.press("Escape");
      await page.locator(".card").first().focus();
      await page.keyboard.press("Enter");
      await page.locator("#heat").check();
      await page.locator("#heat-legend").waitFor();
      await look("detail");
    },
  );

  test("what goes away while it has the focus hands it on", async () => {
    await drop(page, pictures);
    await done(page, 4);
    const focused = () => page.evaluate<string>("document.activeElement.id");
    await page.locator("#histogram button:enabled").first().click();
    await page.locator("#show-all").waitFor();
    await page.locator("#show-all").press("Enter");
    await page.locator("#show-all").waitFor({ state: "hidden" });
    expect(await focused()).toBe("order");
    await page.locator("#clear").press("Enter");
    expect(await focused()).toBe("choose-files");
  });

  test("screen readers are told when it begins and ends, not of every picture", async () => {
    await page.evaluate(`(() => {
      window.told = [];
      const note = () => window.told.push(document.querySelector("#status").textContent);
      new MutationObserver(note).observe(document.querySelector("#status"), { childList: true, characterData: true, subtree: true });
    })()`);
    await drop(
      page,
      Array.from({ length: 40 }, (_, i) => ({ ...pictures[i % 4]!, name: `${i}.jpg` })),
    );
    await done(page, 40);
    expect(await page.evaluate<string[]>("window.told")).toEqual(["Scoring", "40 pictures scored"]);
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { evaluate } from "../../../models/metrics/index.ts";
import type { ExperimentRecord } from "../../../models/report/experiment/experiment-record.ts";
import { experimentReport } from "../../../models/report/experiment/experiment-report.ts";
import { trainingReport } from "../../../models/report/training/training-report.ts";
import type { RunRecord } from "../../../models/training/run-record.ts";
import { chromiumPath, launch, openWatched } from "./chromium.ts";
import { sampleExperiment } from "./experiment/sample-experiment.ts";

/** Texts outside their drawing, and pairs of texts of one drawing that lie on each other; a script for the page. */
const clashes = `[...document.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  const all = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  const outside = all.filter(([, box]) => box.left < frame.left - 1 || box.right > frame.right + 1);
  const over = all.flatMap(([text, one], i) => all.slice(i + 1).flatMap(([other, two]) => {
    const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
    const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
    return across > 2 && down > 3 ? [text + " / " + other] : [];
  }));
  return [...outside.map(([text]) => "outside: " + text), ...over];
})`;

/** Contrast of captions and texts of drawings with the card they are on (WCAG 2); a script for the page. */
const contrasts = `(() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const card = luminance(getComputedStyle(document.querySelector(".chart")).backgroundColor);
  return [...document.querySelectorAll("figcaption, .chart svg text")].map((text) => {
    const { fill, color } = getComputedStyle(text);
    const own = luminance(text instanceof SVGElement ? fill : color);
    return (Math.max(own, card) + 0.05) / (Math.min(own, card) + 0.05);
  });
})()`;

/** A training run with the figures of an experiment's first run, and paths that no line can hold. */
function runOf({ variants, hardware, range }: ExperimentRecord): RunRecord {
  const { predictions = [], phases, refreshes, reliability, distributions = [] } = variants[0]!.runs[0]!;
  const path = `/${"a-long-name-of-a-folder/".repeat(8)}`;
  return {
    title: `CPL-IQA on ${path}`,
    command: `acutance train cpl --data ${path}`,
    date: "2025-06-01T12:30:11.000Z",
    hardware,
    options: variants[0]!.settings,
    range: [range[0], range[1]],
    parts: { labelled: 186, unlabelled: 557, test: predictions.length },
    phases: [...phases],
    losses: Array.from({ length: 150 }, (_, i) => ({
      stage: i < 75 ? (1 as const) : (2 as const),
      epoch: Math.floor((i % 75) / 25),
      step: i % 25,
      loss: 3 - i / 100 + 0.1 * Math.sin(7 * i),
    })),
    refreshes: [...refreshes],
    pseudoLabels: predictions.map(({ name, mos, score, confidence }) => ({
      name,
      mos: mos!,
      pseudo: score,
      confidence: confidence!,
    })),
    results: [
      {
        name: "stage 2",
        evaluation: evaluate(
          predictions.map(({ score }) => score),
          predictions.map(({ mos }) => mos!),
        ),
      },
    ],
    predictions: [...predictions],
    reliability: [reliability!],
    distributions: [...distributions],
    peakDeviceBytes: 2 ** 30,
    notes: [`the whole network starts from ${path}weights.safetensors`],
  };
}

// Without a browser the pages are not looked at: the tests below show up as skipped.
describe.skipIf(chromiumPath === undefined)("pages in Chromium", () => {
  let browser: Browser;
  let folder: string;
  let address: string;

  beforeAll(async () => {
    browser = await launch();
    folder = await mkdtemp(join(tmpdir(), "acutance-pages-"));
    const record = sampleExperiment();
    await writeFile(join(folder, "experiment.html"), experimentReport(record));
    await writeFile(join(folder, "run.html"), await trainingReport(runOf(record)));
    address = pathToFileURL(join(folder, "experiment.html")).href;
  });

  afterAll(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  const pages = ["experiment", "run"].flatMap((name) => [1280, 800, 390].map((width) => [name, width] as const));

  test.each(pages)(
    "that of an %s asks for nothing, and is no wider than a window of %d pixels",
    async (name, width) => {
      const place = address.replace("experiment.html", `${name}.html`);
      const { page, requests, complaints } = await openWatched(browser, place, width);
      await page.waitForTimeout(100);
      expect(requests).toEqual([]);
      expect(complaints).toEqual([]);
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(await page.evaluate<string[]>(clashes)).toEqual([]);
      await page.close();
    },
  );

  test("the keyboard reaches the sections and the recipe", async () => {
    const { page } = await openWatched(browser, address);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(page.url()).toEndWith("#section-2");
    expect(
      await page.evaluate<number>("document.querySelector('#section-2').getBoundingClientRect().top"),
    ).toBeLessThan(40);
    await page.locator("pre").focus();
    expect(await page.evaluate<string>("document.activeElement.getAttribute('aria-label')")).toBe("The recipe as JSON");
    await page.close();
  });

  test("text and drawings stand out from a dark ground as from a light one", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme });
      await page.goto(address);
      const found = await page.evaluate<number[]>(contrasts);
      expect(found.length).toBeGreaterThan(50);
      expect(Math.min(...found)).toBeGreaterThanOrEqual(4.5);
      await page.close();
    }
  });
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  SidecarError,
  SidecarNames,
  starsOf,
  type WriteRatingOptions,
  writeRating,
} from "../../../models/sidecars/index.ts";
import { readIfThere, replaceIfAsRead } from "../../../models/sidecars/replace-file.ts";
import { darktableSidecar, digikamSidecar, lightroomSidecar } from "./sidecar-texts.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "acutance-sidecars-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const scored = {
  score: 71.23456,
  range: [0, 100],
  interval: { low: 60, high: 80, level: 0.9 },
  model: "lívec",
} as const;
const at = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(at(name), "utf8");
const put = (...names: string[]) => {
  for (const name of names) writeFileSync(at(name), name.endsWith(".xmp") ? darktableSidecar : "");
};
const write = (name: string, options?: WriteRatingOptions, score: number = scored.score) =>
  writeRating(at(name), { ...scored, score }, options);

describe("a new sidecar", () => {
  test("has stars, score, interval and model, and a second run changes nothing", async () => {
    put("a.jpg");
    expect(await write("a.jpg")).toEqual({ sidecar: at("a.jpg.xmp"), change: "created", rating: 4 });
    for (const part of ['xmp:Rating="4"', 'acutance:Score="71.235"', 'IntervalLow="60"', 'Model="l&#xED;vec"']) {
      expect(text("a.jpg.xmp")).toContain(part);
    }
    const before = statSync(at("a.jpg.xmp")).mtimeMs;
    expect(await write("a.jpg")).toMatchObject({ change: "unchanged" });
    expect(statSync(at("a.jpg.xmp")).mtimeMs).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(["a.jpg", "a.jpg.xmp"]);
  });

  test("is read by exiftool", async () => {
    if (spawnSync("exiftool", ["-ver"]).status !== 0) return;
    put("a.cr2");
    await write("a.cr2", { naming: "lightroom", labels: ["Red", "", "", "Gelb & <Grün>", ""] });
    const said = spawnSync("exiftool", ["-json", "-G1", "-api", "structformat=jsonq", at("a.xmp")], {
      encoding: "utf8",
    });
    expect(JSON.parse(said.stdout)[0]).toMatchObject({
      "XMP-xmp:Rating": 4,
      "XMP-xmp:Label": "Gelb & <Grün>",
      "XMP-photoshop:SidecarForExtension": "CR2",
      "XMP-acutance:Score": 71.235,
      "XMP-acutance:Model": "lívec",
    });
  });

  test("is none in a dry run", async () => {
    put("a.jpg");
    expect(await write("a.jpg", { dryRun: true })).toMatchObject({ change: "created", rating: 4 });
    expect(readdirSync(folder)).toEqual(["a.jpg"]);
  });
});

describe("a person's choice stays", () => {
  test("in sidecars of others, unless it is to be replaced", async () => {
    for (const [name, sidecar, kept] of [
      ["darktable.jpg", darktableSidecar, "1"],
      ["lightroom.jpg", lightroomSidecar, "3"],
      ["digikam.jpg", digikamSidecar, "3"],
    ] as const) {
      writeFileSync(at(`${name}.xmp`), sidecar);
      expect(await write(name)).toMatchObject({ change: "updated", rating: 4, keptRating: kept });
      expect(text(`${name}.xmp`)).toContain(`xmp:Rating="${kept}"`);
      expect(await write(name)).toMatchObject({ change: "unchanged", keptRating: kept });
      // Without what was added, the sidecar is the one that was there.
      const own = /[ \n\r]+(xmlns:acutance="[^"]*"|acutance:\w+="[^"]*")/g;
      expect(text(`${name}.xmp`).replace(own, "")).toBe(sidecar);
      expect((await write(name, { overwrite: true })).keptRating).toBeUndefined();
      expect(text(`${name}.xmp`)).toContain('xmp:Rating="4"');
    }
  });

  test("0 is no rating where none was written, and a person's where one was", async () => {
    writeFileSync(at("a.jpg.xmp"), darktableSidecar.replace('Rating="1"', 'Rating="0"'));
    expect((await write("a.jpg")).keptRating).toBeUndefined();
    expect((await write("a.jpg", {}, 10)).keptRating).toBeUndefined(); // our own follows the score
    expect(text("a.jpg.xmp")).toContain('xmp:Rating="1"');
    writeFileSync(at("a.jpg.xmp"), text("a.jpg.xmp").replace('xmp:Rating="1"', 'xmp:Rating="0"'));
    expect(await write("a.jpg")).toMatchObject({ keptRating: "" });
    writeFileSync(at("a.jpg.xmp"), text("a.jpg.xmp").replace('xmp:Rating="0"', 'xmp:Rating="2"'));
    expect(await write("a.jpg")).toMatchObject({ keptRating: "2" });
    // Though it is what was once written here, it is the person's now.
    writeFileSync(at("a.jpg.xmp"), text("a.jpg.xmp").replace('xmp:Rating="2"', 'xmp:Rating="1"'));
    expect(await write("a.jpg")).toMatchObject({ keptRating: "1" });
    writeFileSync(at("a.jpg.xmp"), text("a.jpg.xmp").replace('xmp:Rating="1"', 'xmp:Rating="-1"'));
    expect(await write("a.jpg")).toMatchObject({ keptRating: "-1" });
  });

  test("where another program alone has it", async () => {
    writeFileSync(at("a.jpg.xmp"), digikamSidecar.replace('xmp:Rating="3"', ""));
    expect(await write("a.jpg")).toMatchObject({ keptRating: "50" });
  });

  test("inside of the picture", async () => {
    const xmp = darktableSidecar.replace('Rating="1"', 'Rating="5"');
    const create = { width: 8, height: 8, channels: 3, background: "red" } as const;
    await sharp({ create }).withXmp(xmp).jpeg().toFile(at("a.jpg"));
    expect(await write("a.jpg")).toMatchObject({ change: "created", keptRating: "5" });
    expect(text("a.jpg.xmp")).not.toContain("Rating=");
  });

  test("of labels: they are touched only when asked, and a person's stays", async () => {
    const labels = ["Red", "", "", "Green", ""];
    writeFileSync(at("a.jpg.xmp"), lightroomSidecar);
    expect(await write("a.jpg", { labels })).toMatchObject({ keptLabel: "Grün" });
    expect(text("a.jpg.xmp")).toContain('xmp:Label="Grün"');
    await write("b.jpg", { labels });
    expect(text("b.jpg.xmp")).toContain('xmp:Label="Green"');
    await write("b.jpg", {}, 1);
    expect(text("b.jpg.xmp")).toContain('xmp:Label="Green"');
    await write("b.jpg", { labels }, 1);
    expect(text("b.jpg.xmp")).toContain('xmp:Label="Red"');
    await write("b.jpg", { labels }, 30);
    expect(text("b.jpg.xmp")).not.toContain("Label");
  });
});

describe("names", () => {
  const place = async (name: string, naming: "darktable" | "lightroom") => {
    const { path, note } = await new SidecarNames().of(at(name), naming);
    return [path.slice(folder.length + 1), note];
  };

  test("both ways, and one that is there is taken", async () => {
    put("a.jpg", "b.jpg", "b.XMP", "c.jpg", "c.jpg.xmp", "d.jpg", "d.xmp", "d.jpg.xmp", "e");
    expect(await place("a.jpg", "darktable")).toEqual(["a.jpg.xmp", undefined]);
    expect(await place("a.jpg", "lightroom")).toEqual(["a.xmp", undefined]);
    expect(await place("b.jpg", "darktable")).toEqual(["b.XMP", undefined]);
    expect(await place("c.jpg", "lightroom")).toEqual(["c.jpg.xmp", undefined]);
    expect(await place("d.jpg", "darktable")).toEqual(["d.jpg.xmp", undefined]);
    expect(await place("d.jpg", "lightroom")).toEqual(["d.xmp", undefined]);
    expect(await place("e", "lightroom")).toEqual(["e.xmp", undefined]);
  });

  test("of two pictures and one a.xmp each gets its own, and it is said", async () => {
    put("a.jpg", "a.CR2", "a.xmp", "b.jpg", "b.png", "c.jpg", "c.cr2", "c.xmp");
    writeFileSync(at("c.xmp"), lightroomSidecar.replace('"CR2"', '"JPG"'));
    expect(await place("a.CR2", "lightroom")).toEqual(["a.xmp", undefined]);
    expect(await place("a.CR2", "darktable")).toEqual(["a.xmp", undefined]);
    expect(await place("a.jpg", "darktable")).toEqual(["a.jpg.xmp", "a.xmp could be that of a.CR2 too"]);
    expect(await place("b.jpg", "lightroom")).toEqual(["b.jpg.xmp", "b.xmp could be that of b.png too"]);
    expect(await place("c.jpg", "lightroom")).toEqual(["c.xmp", undefined]);
    expect(await place("c.cr2", "lightroom")).toEqual(["c.cr2.xmp", "c.xmp is the sidecar of c.JPG"]);
  });
});

describe("files", () => {
  test("keep their mode, and links stay links", async () => {
    put("real.xmp", "a.jpg");
    chmodSync(at("real.xmp"), 0o640);
    symlinkSync("real.xmp", at("a.jpg.xmp"));
    await write("a.jpg", { overwrite: true });
    expect(lstatSync(at("a.jpg.xmp")).isSymbolicLink()).toBe(true);
    expect(text("real.xmp")).toContain('xmp:Rating="4"');
    expect(statSync(at("real.xmp")).mode & 0o777).toBe(0o640);
  });

  test("that are broken stay as they are", async () => {
    const broken = darktableSidecar.slice(0, 900);
    writeFileSync(at("a.jpg.xmp"), broken);
    const error = await write("a.jpg").catch((thrown) => thrown);
    expect(error).toBeInstanceOf(SidecarError);
    expect(error).toMatchObject({ reason: "damaged", sidecar: at("a.jpg.xmp") });
    expect(error.message).toContain("is left as it is: it is no well-formed XML");
    expect(text("a.jpg.xmp")).toBe(broken);
    expect(readdirSync(folder)).toEqual(["a.jpg.xmp"]);
  });

  test("that changed since they were read are not replaced", async () => {
    put("a.xmp");
    const read = await readIfThere(at("a.xmp"));
    writeFileSync(at("a.xmp"), lightroomSidecar);
    expect(await replaceIfAsRead(at("a.xmp"), Buffer.from("ours"), read)).toBe(false);
    expect(text("a.xmp")).toBe(lightroomSidecar);
    // One that came in between.
    expect(await replaceIfAsRead(at("a.xmp"), Buffer.from("ours"), undefined)).toBe(false);
    expect(text("a.xmp")).toBe(lightroomSidecar);
    expect(readdirSync(folder)).toEqual(["a.xmp"]);
  });

  test("of many writers at once are whole and have what each wrote", async () => {
    put("a.jpg");
    const scores = Array.from({ length: 4 }, (_, i) => 10 + 20 * i);
    await Promise.all(scores.map((score) => write("a.jpg", {}, score)));
    const rating = /xmp:Rating="(\d)"/.exec(text("a.jpg.xmp"))![1];
    const score = /acutance:Score="(\d+)"/.exec(text("a.jpg.xmp"))![1];
    expect(starsOf(Number(score), { range: [0, 100] })).toBe(Number(rating) as never);
  });

  test("in folders that may not be written to are refused with what to do", async () => {
    put("a.jpg");
    if (process.getuid?.() === 0) {
      // A superuser may write anywhere: a folder in the sidecar's place does instead.
      await import("node:fs/promises").then(({ mkdir }) => mkdir(at("a.jpg.xmp")));
    } else chmodSync(folder, 0o555);
    try {
      const error = await write("a.jpg").catch((thrown) => thrown);
      expect(error).toMatchObject({ reason: "unwritable", code: expect.stringMatching(/EACCES|EISDIR/) });
    } finally {
      chmodSync(folder, 0o755);
    }
    expect(existsSync(at("a.jpg"))).toBe(true);
  });
});

describe("stars", () => {
  test("by fifths of the range, or by bands", () => {
    const stars = (scores: readonly number[], options: object = {}) =>
      scores.map((score) => starsOf(score, { range: [0, 100], ...options }));
    expect(stars([0, 19.9, 20, 59, 60, 80, 100])).toEqual([1, 1, 2, 3, 4, 5, 5]);
    expect(stars([29, 30, 71], { bands: [30, 50, 60, 70] })).toEqual([1, 2, 5]);
    expect(stars([10, 20, 90], { lowerIsBetter: true })).toEqual([5, 5, 1]);
    expect(stars([1, 2, 5], { range: [1, 5] })).toEqual([1, 2, 5]);
  });

  test.each([[[20, 40, 60]], [[20, 40, 40, 60]], [[20, 40, Number.NaN, 60]]])("%j are no bands", (bands) => {
    expect(() => starsOf(1, { range: [0, 100], bands })).toThrow("four ascending scores");
  });

  test("a scale without an end needs bands", () => {
    expect(() => starsOf(1, { range: [0, Number.POSITIVE_INFINITY] })).toThrow("must be given");
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { type DegradeOptions, degradedTable, degradeFolder } from "../../../../models/data/degraded/degrade.ts";
import { type DistortionName, distort, fromBytes, toBytes } from "../../../../models/data/degraded/distortions.ts";
import { rankedSets, withoutCopiesOf } from "../../../../models/data/degraded/ranked-sets.ts";
import { decode } from "../../../../models/data/pictures/decode.ts";
import { DatasetError } from "../../../../models/data/problems.ts";
import { loadKnownSet } from "../../../../models/data/sets/index.ts";
import { sharedDevice } from "../../../engine/device.ts";
import { blurredPictures } from "../../training/pictures.ts";

let folder = "";
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-degrade-"));
  await blurredPictures(at("photos"), 3);
  await mkdir(at("photos", "sub"));
  await sharp(at("photos", "1.png"))
    .resize(60, 30, { fit: "fill" })
    .jpeg()
    .toFile(at("photos", "sub", "wide.jpg"));
  await sharp(at("photos", "1.png")).jpeg().toFile(at("photos", "1.jpg"));
  await writeFile(at("photos", "broken.jpg"), "no picture");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const degrade = async (out: string, options: DegradeOptions = {}) =>
  degradeFolder(await sharedDevice(), at("photos"), at(out), options);

const tableOf = async (out: string): Promise<Record<string, string>[]> =>
  parse(await readFile(at(out, degradedTable), "utf8"), { columns: true });

describe("degraded copies of a folder", () => {
  test("are drawn for each picture, named by kind and level, listed; a broken picture is reported", async () => {
    const { pictures, kept, problems } = await degrade("drawn", { perPicture: 4 });
    expect(problems.map(({ name }) => name)).toEqual(["broken.jpg"]);
    expect(problems[0]!.detail).toContain("not a picture");
    expect([pictures.length, kept]).toEqual([20, 0]);
    const table = await tableOf("drawn");
    expect(table.map(({ name }) => name)).toEqual(pictures.map(({ name }) => name));
    const files = (await readdir(at("drawn"), { recursive: true })).filter((name) => name.endsWith(".png"));
    expect(files.sort()).toEqual(pictures.map(({ name }) => name).sort());
    for (const { name, source, kind, level } of pictures) {
      // 1.jpg stands beside 1.png: they keep their whole names.
      const base = source.startsWith("1.") ? source : source.replace(/\.\w+$/, "");
      expect(name).toBe(`${base}-${kind}-${level}.png`);
    }
    expect(new Set(pictures.map(({ name }) => name)).size).toBe(20);
  });

  test("hold what the distortion makes, without loss, in either format", async () => {
    const device = await sharedDevice();
    for (const format of ["png", "webp"] as const) {
      const kinds = ["gaussian-blur", "darken"] as const;
      const { pictures } = await degrade(format, { format, kinds, levels: [3], perPicture: Number.POSITIVE_INFINITY });
      expect(pictures).toHaveLength(10);
      const { name, source, kind, level } = pictures.find((picture) => picture.source === "sub/wide.jpg")!;
      const { pixels, width, height } = await decode(at("photos", source));
      using clean = fromBytes(device, pixels, height, width);
      using degraded = await distort(clean, kind as DistortionName, level, 0);
      const found = await decode(at(format, name));
      expect([found.width, found.height]).toEqual([60, 30]);
      expect(found.pixels).toEqual(await toBytes(degraded));
    }
  });

  test("do not depend on the other pictures or on what was there before; nothing is made twice", async () => {
    const whole = await degrade("whole", { perPicture: 3, seed: 7, kinds: ["white-noise", "jpeg"] });
    const options = { perPicture: 3, seed: 7, kinds: ["white-noise", "jpeg"] } as const;
    await degrade("again", options);
    const [gone, stays] = [whole.pictures[2]!.name, whole.pictures[0]!.name];
    const noise = whole.pictures.find(({ kind }) => kind === "white-noise")!.name;
    for (const name of new Set([gone, noise])) await rm(at("again", name));
    await rm(at("again", degradedTable));
    const before = await stat(at("again", stays)).catch(() => undefined);
    const second = await degrade("again", options);
    expect(second.kept).toBe(15 - new Set([gone, noise]).size);
    if (stays !== noise) expect((await stat(at("again", stays))).mtimeMs).toBe(before!.mtimeMs);
    for (const { name } of whole.pictures)
      expect(await readFile(at("again", name))).toEqual(await readFile(at("whole", name)));
    expect(await tableOf("again")).toEqual(await tableOf("whole"));
  });

  test("of further kinds join the table", async () => {
    await degrade("more", { kinds: ["jpeg"], levels: [1], perPicture: 1 });
    await degrade("more", { kinds: ["pixelate"], levels: [5], perPicture: 1 });
    const kinds = (await tableOf("more")).map(({ kind }) => kind);
    expect([kinds.filter((kind) => kind === "jpeg").length, kinds.length]).toEqual([5, 10]);
  });

  test("are made of pictures reduced to the longer side, or of their own size", async () => {
    const size = async (out: string, longerSide: number) => {
      const { pictures } = await degrade(out, { longerSide, perPicture: 1 });
      const { width, height } = await decode(at(out, pictures.find(({ source }) => source === "sub/wide.jpg")!.name));
      return [width, height];
    };
    expect(await size("small", 40)).toEqual([40, 20]);
    expect(await size("large", 0)).toEqual([60, 30]);
  });

  test("leave no memory behind", async () => {
    const device = await sharedDevice();
    await degrade("one", { perPicture: 35 });
    const { usedBuffers } = device.memoryUse;
    await degrade("two", { perPicture: 35, seed: 2 });
    expect(device.memoryUse.usedBuffers).toBe(usedBuffers);
  });

  test("wrong input is refused", async () => {
    await expect(degrade("photos/out")).rejects.toThrow("cannot lie within");
    await expect(degrade("photos")).rejects.toThrow(DatasetError);
    await degrade("mine", { perPicture: 1 });
    await expect(degrade("mine", { perPicture: 1, seed: 2 })).rejects.toThrow("holds copies of seed 1");
    await expect(degrade("x", { levels: [6] })).rejects.toThrow("level 6");
    await expect(degrade("x", { kinds: ["rain" as "jpeg"] })).rejects.toThrow('"rain"');
    await expect(degrade("x", { perPicture: 0 })).rejects.toThrow("got 0");
  });

  test("stop at the signal, and the same call goes on", async () => {
    const stop = new AbortController();
    const onProgress = (done: number) => done >= 4 && stop.abort(new Error("enough"));
    await expect(degrade("stopped", { perPicture: 2, signal: stop.signal, onProgress })).rejects.toThrow("enough");
    const { kept, pictures } = await degrade("stopped", { perPicture: 2 });
    expect([kept, pictures.length]).toEqual([4, 10]);
  });
});

describe("copies to be ranked", () => {
  test("are of each picture two neighbouring levels of a kind, and the picture as it is", async () => {
    const { pictures } = await degrade("ranked", { ranked: true, perPicture: 2, longerSide: 30 });
    const sources = Map.groupBy(pictures, ({ source }) => source);
    expect(sources.size).toBe(5);
    const steps: string[] = [];
    for (const [source, copies] of sources) {
      const [clean, ...others] = copies;
      expect(clean).toMatchObject({ kind: "none", level: 0 });
      const kinds = Map.groupBy(others, ({ kind }) => kind);
      expect(kinds.size).toBe(2);
      for (const found of kinds.values()) {
        const levels = found.map(({ level }) => level);
        steps.push(levels.join());
        expect(levels.length === 1 ? levels[0] : levels[1]! - levels[0]!).toBe(1);
      }
      const shown = await decode(at("ranked", clean!.name));
      const { data } = await sharp(at("photos", source))
        .resize({ width: 30, height: 30, fit: "inside" })
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(Buffer.from(shown.pixels).equals(data)).toBe(true);
    }
    expect(new Set(steps).size).toBeGreaterThan(2);
    expect(await degrade("ranked", { ranked: true, perPicture: 2, longerSide: 30 })).toMatchObject({
      kept: pictures.length,
    });
  });

  test("go up by the levels that are asked for", async () => {
    const { pictures } = await degrade("chosen", { ranked: true, kinds: ["jpeg"], levels: [5, 2] });
    const levels = [...Map.groupBy(pictures, ({ source }) => source).values()].map((copies) =>
      copies.map(({ level }) => level).join(),
    );
    expect(levels.every((each) => each === "0,2" || each === "0,2,5")).toBe(true);
  });

  test("a share of the pictures looks like faded prints: grey or pale, with a grey black and a dim white", async () => {
    const cleans = async (out: string, toned: number) => {
      const { pictures } = await degrade(out, { ranked: true, toned });
      const found = pictures.filter(({ level }) => level === 0);
      return Promise.all(found.map(async ({ name }) => (await decode(at(out, name))).pixels));
    };
    const meanOf = (pixels: Uint8Array, channel: number) =>
      pixels.reduce((sum, value, i) => sum + (i % 3 === channel ? value : 0), 0);
    const [plain, all, some] = [await cleans("plain", 0), await cleans("toned", 1), await cleans("partly", 0.5)];
    plain.forEach((pixels, i) => {
      const [red, , blue] = [0, 1, 2].map((channel) => meanOf(all[i]!, channel));
      expect(red!).toBeGreaterThan(blue!);
      const isPlain = Buffer.from(some[i]!).equals(pixels);
      expect(isPlain || Buffer.from(some[i]!).equals(all[i]!)).toBe(true);
    });
    expect(Math.max(...all.map((pixels) => pixels.reduce((a, b) => Math.max(a, b))))).toBeLessThan(255);
    await expect(degrade("partly", { ranked: true, toned: 0.2 })).rejects.toThrow("share toned 0.5, asked for is");
    await expect(degrade("x", { toned: 1.5 })).rejects.toThrow("got 1.5");
  });

  test("come as sets, the best first, each kind of a picture with the picture itself", async () => {
    const { pictures } = await degrade("sets", { ranked: true, perPicture: 3 });
    const sets = await rankedSets(at("sets"));
    expect(sets).toHaveLength(15);
    for (const { source, pictures: ranked } of sets) {
      expect(ranked[0]!.level).toBe(0);
      expect(ranked.map(({ level }) => level)).toEqual(ranked.map(({ level }) => level).toSorted());
      const [kind, ...others] = new Set(
        ranked.slice(1).map(({ name }) => pictures.find((picture) => `ranked/${picture.name}` === name)!.kind),
      );
      expect([kind === undefined, others]).toEqual([false, []]);
      for (const { name, path } of ranked) {
        expect(pictures.find((picture) => `ranked/${picture.name}` === name)!.source).toBe(source);
        expect((await stat(path)).isFile()).toBe(true);
      }
    }
    // Copies that were not made to be ranked are ranked where a kind has two levels.
    await degrade("free", { kinds: ["jpeg", "darken"], levels: [1, 4], perPicture: 3 });
    const free = await rankedSets(at("free"));
    expect(free).toHaveLength(5);
    expect(free.every(({ pictures: [a, b] }) => a!.level === 1 && b!.level === 4)).toBe(true);
  });

  test("of several folders are those of each, with names of their own", async () => {
    const [one] = await Promise.all([
      degrade("parts/a", { ranked: true }),
      mkdir(at("parts", "other"), { recursive: true }),
    ]);
    await degrade("parts/b", { ranked: true, seed: 9 });
    const sets = await rankedSets(at("parts"));
    const [a, b] = await Promise.all([rankedSets(at("parts", "a")), rankedSets(at("parts", "b"))]);
    expect(sets.map(({ source }) => source)).toEqual([...a, ...b].map(({ source }) => source));
    const names = sets.flatMap(({ pictures }) => pictures.map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain(`ranked/a/${one.pictures[0]!.name}`);
    for (const { path } of sets.flatMap(({ pictures }) => pictures)) expect((await stat(path)).isFile()).toBe(true);
  });

  test("of pictures that are held out are left out, by name or by path", async () => {
    await degrade("held", { ranked: true });
    const sets = await rankedSets(at("held"));
    const left = (rows: { name: string; path: string }[]) =>
      withoutCopiesOf(sets, rows)
        .map(({ source }) => source)
        .sort();
    const all = ["0.png", "1.jpg", "1.png", "2.png", "sub/wide.jpg"];
    expect(left([])).toEqual(all);
    expect(left([{ name: "0.png", path: "/elsewhere/first.png" }])).toEqual(all.slice(1));
    expect(left([{ name: "wide", path: at("photos", "sub", "wide.jpg") }])).toEqual(all.slice(0, 4));
    expect(left([{ name: "a", path: at("photos", "12.png") }])).toEqual(all);
  });

  test("must be there, of levels that there are", async () => {
    await expect(rankedSets(at("nowhere"))).rejects.toThrow("no folder of degraded copies");
    await degrade("single", { perPicture: 1 });
    await expect(rankedSets(at("single"))).rejects.toThrow("nothing to rank");
    await mkdir(at("edited"));
    await writeFile(at("edited", degradedTable), "name,source,kind,level\nx.png,0.png,jpeg,often\n");
    await expect(rankedSets(at("edited"))).rejects.toThrow('line 2: the level "often"');
  });
});

describe("a set like KADID-10k", () => {
  const options: DegradeOptions = { layout: "kadid", kinds: ["mean-shift", "pixelate"], longerSide: 40 };

  test("has every picture, every kind and every level by its names, a table, and is finished by the same call", async () => {
    const { pictures, problems } = await degrade("kadid", options);
    expect(problems.map(({ name }) => name)).toEqual(["broken.jpg"]);
    expect(pictures.length).toBe(5 * 11);
    expect((await readdir(at("kadid", "images"))).length).toBe(5 * 11);
    const rows: Record<string, string>[] = parse(await readFile(at("kadid", "kadid.csv"), "utf8"), { columns: true });
    expect(rows.length).toBe(50);
    for (const { dist_img, ref_img, type, kind, level } of rows) {
      expect(dist_img).toBe(`${ref_img!.slice(0, 3)}_${type}_0${level}.png`);
      expect(type).toBe(kind === "mean-shift" ? "18" : "21");
    }
    // The third level of mean shift is the picture itself, the second is lighter.
    const samples = async (name: string) => (await decode(at("kadid", "images", name))).pixels;
    const clean = await samples("I01.png");
    expect(await samples("I01_18_03.png")).toEqual(clean);
    expect(await samples("I01_18_02.png")).toEqual(clean.map((value) => Math.min(255, Math.round(value + 0.08 * 255))));

    const before = await stat(at("kadid", "images", "I02_21_05.png"));
    await rm(at("kadid", "images", "I02_21_04.png"));
    const again = await degrade("kadid", options);
    expect(again.kept).toBe(5 * 11 - 1);
    expect((await stat(at("kadid", "images", "I02_21_05.png"))).mtimeMs).toBe(before.mtimeMs);
    await expect(degrade("kadid", { ...options, stretch: true })).rejects.toThrow("asked for is seed 1");
  });

  test("opens as a data set, grouped by picture, and ranks its levels by severity", async () => {
    const { rows } = await loadKnownSet("kadid", at("kadid"));
    expect(rows.length).toBe(50);
    expect(new Set(rows.map(({ group }) => group)).size).toBe(5);
    const sets = await rankedSets(at("kadid"));
    expect(sets.length).toBe(10);
    const named = (end: string) =>
      sets.find(({ pictures }) => pictures.some(({ name }) => name.endsWith(end)))!.pictures;
    expect(named("I01_18_01.png").map(({ name, level }) => [name.slice(-13), level])).toEqual([
      ["mages/I01.png", 0],
      ["I01_18_02.png", 2],
      ["I01_18_04.png", 3],
      ["I01_18_01.png", 4],
      ["I01_18_05.png", 5],
    ]);
    expect(named("I01_21_01.png").map(({ level }) => level)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("is not mixed up when pictures came since", async () => {
    await degrade("shifted", { ...options, levels: [1] });
    await sharp(at("photos", "1.png")).png().toFile(at("photos", "00.png"));
    try {
      await expect(degrade("shifted", { ...options, levels: [1] })).rejects.toThrow("pictures came or went since");
    } finally {
      await rm(at("photos", "00.png"));
    }
  });

  test("takes no option of drawn copies, and no other layout", async () => {
    await expect(degrade("none", { ...options, ranked: true })).rejects.toThrow("not for the layout kadid");
    await expect(degrade("none", { ...options, perPicture: 2 })).rejects.toThrow("not for the layout kadid");
    await expect(degrade("none", { layout: "tid" as never })).rejects.toThrow('"tid"; choose of copies, kadid, kadis');
  });
});

test("a set like KADIS-700k has one kind for each picture, opens as kadis, and can be ranked", async () => {
  const { pictures } = await degrade("kadis", { layout: "kadis", longerSide: 40 });
  expect(pictures.length).toBe(5 * 6);
  const { rows } = await loadKnownSet("kadis", at("kadis"));
  expect(rows.length).toBe(5 * 6);
  expect(new Set(rows.map(({ group }) => group)).size).toBe(5);
  expect((await loadKnownSet("kadis-pristine", at("kadis"))).rows.length).toBe(5);
  for (const copies of Map.groupBy(pictures, ({ source }) => source).values()) {
    expect(new Set(copies.map(({ kind }) => kind)).size).toBe(2);
    expect(copies.map(({ level }) => level)).toEqual([0, 1, 2, 3, 4, 5]);
  }
  expect(new Set(pictures.map(({ kind }) => kind)).size).toBeGreaterThan(2);
  const sets = await rankedSets(at("kadis"));
  expect(sets.length).toBe(5);
  for (const { pictures: ranked } of sets) expect(ranked.length).toBeGreaterThanOrEqual(5);
});

test("ranked copies may be of any of the 25 kinds, at levels that rise", async () => {
  const { pictures } = await degrade("any", {
    kinds: ["mean-shift", "jpeg2000"],
    ranked: true,
    perPicture: 2,
    longerSide: 40,
  });
  expect(new Set(pictures.map(({ kind }) => kind))).toEqual(new Set(["none", "mean-shift", "jpeg2000"]));
  expect((await rankedSets(at("any"))).length).toBe(10);
});

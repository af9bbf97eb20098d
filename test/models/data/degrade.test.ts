import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { decode } from "../../../models/data/decode.ts";
import { type DegradeOptions, degradedTable, degradeFolder } from "../../../models/data/degrade.ts";
import { degradedCopies, ratedCopies } from "../../../models/data/degraded-rows.ts";
import { distort, fromBytes, toBytes } from "../../../models/data/distortions.ts";
import { DatasetError } from "../../../models/data/problems.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures } from "../cpl/pictures.ts";

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
      using degraded = await distort(clean, kind, level, 0);
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

describe("degraded copies of labelled pictures", () => {
  const all = () => [
    { name: "0.png", path: at("photos", "0.png"), mos: 4, group: "scene" },
    // Named as a CSV may do that lists names without folder and extension.
    { name: "wide", path: at("photos", "sub", "wide.jpg"), mos: 2 },
    { name: "1.png", path: at("photos", "1.png"), mos: 3 },
  ];

  test("have the MOS of their source, reduced by their level; those of other parts are left out", async () => {
    await degrade("rated", { kinds: ["gaussian-blur"], perPicture: Number.POSITIVE_INFINITY });
    const copies = await degradedCopies(at("rated"), all());
    expect(new Set(copies.map(({ source }) => source))).toEqual(new Set(["0.png", "wide", "1.png"]));
    const rows = ratedCopies(copies, all().slice(0, 2), [1, 5]);
    const found = rows.map(({ path, mos, group, weight }) => [path, mos.toFixed(4), group, weight]).sort();
    const expected = [1, 2, 3, 4, 5].flatMap((level) => [
      [at("rated", `0-gaussian-blur-${level}.png`), (1 + 3 * (1 - 0.12 * level)).toFixed(4), "scene", 0.1],
      [at("rated", `sub/wide-gaussian-blur-${level}.png`), (1 + 1 * (1 - 0.12 * level)).toFixed(4), undefined, 0.1],
    ]);
    expect(found).toEqual(expected.sort());
    for (const { path } of rows) expect((await stat(path)).isFile()).toBe(true);
  });

  test("go by paths when two pictures of the data set have the source's name at their end", async () => {
    await degrade("rated", { kinds: ["gaussian-blur"], perPicture: Number.POSITIVE_INFINITY });
    const twins = [
      { name: "a", path: at("photos", "0.png"), mos: 4 },
      { name: "b", path: at("others", "0.png"), mos: 2 },
      { name: "1.png", path: at("photos", "1.png"), mos: 3 },
    ];
    const sources = (await degradedCopies(at("rated"), twins)).map(({ source }) => source);
    expect(new Set(sources)).toEqual(new Set(["1.png"]));
  });

  test("must be there, of levels that there are", async () => {
    await expect(degradedCopies(at("nowhere"), all())).rejects.toThrow("no folder of degraded copies");
    await degrade("others", { perPicture: 1 });
    const strangers = [{ name: "other.png", path: at("other.png"), mos: 3 }];
    await expect(degradedCopies(at("others"), strangers)).rejects.toThrow("no copy of a picture of this data set");
    await mkdir(at("edited"));
    await writeFile(at("edited", degradedTable), "name,source,level\nx.png,0.png,often\n");
    await expect(degradedCopies(at("edited"), all())).rejects.toThrow('line 2: the level "often"');
  });
});
